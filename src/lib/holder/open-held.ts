import {type Code, OllamaxError} from '../errors.ts'
import {askHolder} from './ask-holder.ts'
import type {HolderPlace} from './place.ts'
import type {HeldNode, HolderReply} from './protocol.ts'

export interface OpenOptions {
  readonly place: HolderPlace
  /** Starts a holder where none runs: our own program and its words. */
  readonly command: readonly string[]
  readonly env: Readonly<NodeJS.ProcessEnv>
  readonly signal: AbortSignal
}

/** What a dial on our behalf may need: programs, the agent, the configuration, secrets, the locale. */
const PASSED_ON = /^(PATH|HOME|USER|LOGNAME|SSH_.*|OLLAMAX_SSH_.*|LANG|LC_.*|SYSTEMROOT)$/i

/**
 * The unix socket that leads to a node through the connection holder, which is started where none runs.
 * Undefined if there is no holder to be had; the holder's own error (an OllamaxError) if it cannot reach
 * the node. Loads nothing heavy.
 */
export async function openHeld(node: HeldNode, options: OpenOptions): Promise<string | undefined> {
  const {place, signal} = options
  const env: Record<string, string> = {}
  for (const [name, value] of Object.entries(options.env)) {
    if (value !== undefined && PASSED_ON.test(name)) env[name] = value
  }
  const ask = () => askHolder(place.control, {op: 'open', node, env}, signal)
  let reply: HolderReply | undefined
  try {
    reply = await ask()
    if (!reply) {
      const {startHolder} = await import('./start-holder.ts')
      if (!(await startHolder(place, options))) return undefined
      reply = await ask()
    }
  } catch {
    signal.throwIfAborted()
    return undefined
  }
  if (reply?.kind === 'opened') return reply.socket
  if (reply?.kind !== 'error') return undefined
  const {code, message, suggestions, details} = reply
  throw new OllamaxError(code as Code, message, {suggestions, ...(details ? {details} : {})})
}
