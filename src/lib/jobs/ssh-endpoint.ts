import type {Ask} from '../cluster/ask.ts'
import type {SshNode} from '../cluster/node.ts'
import {OllamaxError} from '../errors.ts'
import {openHeld} from '../holder/open-held.ts'
import {holderPlace} from '../holder/place.ts'
import type {Endpoint} from '../ollama/endpoint.ts'
import type {Paths} from '../state/paths.ts'

declare const OLLAMAX_VERSION: string

/** Where Ollama listens on a node unless the cluster file says otherwise. */
const OLLAMA_PORT = 11_434

/** The loopback port of a node's Ollama. */
export function ollamaPort(node: SshNode): number {
  return node.ollama.port ?? OLLAMA_PORT
}

export interface HeldOptions {
  readonly env: Readonly<NodeJS.ProcessEnv>
  readonly paths: Pick<Paths, 'run'>
  readonly cluster: string
  readonly signal: AbortSignal
  readonly ask: Ask
}

/**
 * The way to an SSH node through the connection holder. Undefined where a dial of our own is wanted: no
 * holder is to be had, or the dial has a question and somebody is there to answer it.
 */
export async function heldEndpoint(
  node: SshNode,
  options: HeldOptions,
): Promise<Endpoint | undefined> {
  // Only a built program can start itself again; Windows has no unix sockets in directories of ours.
  if (typeof OLLAMAX_VERSION === 'undefined' || process.platform === 'win32') return undefined
  const {env, paths, cluster, signal, ask} = options
  const {name, ssh, hostKey} = node
  const held = {name, ssh, ...(hostKey === undefined ? {} : {hostKey}), port: ollamaPort(node)}
  try {
    const path = await openHeld(held, {
      place: holderPlace(paths.run, cluster, {env, version: OLLAMAX_VERSION}),
      command: [process.execPath, process.argv[1] ?? '', 'holder', '--serve', '--cluster', cluster],
      env,
      signal,
    })
    return path === undefined ? undefined : {kind: 'socket', path}
  } catch (error) {
    if (ask.interactive && mayAsk(error)) return undefined
    throw error
  }
}

/** True for what a person at the terminal could answer: a password, a code, a passphrase, an unknown host. */
function mayAsk(error: unknown): boolean {
  return (
    OllamaxError.is(error, 'SSH_DENIED') ||
    OllamaxError.is(error, 'NEEDS_TTY') ||
    OllamaxError.is(error, 'SSH_KEY') ||
    OllamaxError.is(error, 'HOST_KEY_UNKNOWN')
  )
}
