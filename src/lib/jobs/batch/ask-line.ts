import {setTimeout as pause} from 'node:timers/promises'
import type {PolicyName} from '../../balancer/policies.ts'
import {judge} from '../../balancer/verdict.ts'
import type {LineOutcome} from '../../batch/output-line.ts'
import type {BatchRequest} from '../../batch/parse-line.ts'
import {messageOf, OllamaxError} from '../../errors.ts'
import type {Endpoint} from '../../ollama/endpoint.ts'
import {isAbsent} from '../ask-gateway.ts'
import {withDeadline} from '../deadline.ts'
import {askOnce, type Reply} from './ask-once.ts'

export interface AskLineOptions {
  /** Tries after the first one. */
  readonly retries: number
  /** For one try, waiting for a slot included. */
  readonly timeoutMs: number
  readonly signal: AbortSignal
  readonly policy: PolicyName | undefined
  /**
   * Nobody could take it now: there was too much to do, or nobody there. Throws when that has gone on for too long.
   */
  readonly refused: (words: string, why: 'busy' | 'absent') => void
}

export interface AskedLine {
  readonly outcome: LineOutcome
  readonly node?: string
  readonly requestId?: string
  readonly queueMs?: number
  /** Of the last try. */
  readonly tookMs: number
  readonly tries: number
}

const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 30_000

/**
 * Asks until there is an answer, a no that each node would say, or no try is left. That nobody has a slot or no node is
 * up is nothing that the line can be blamed for: it waits, and no try is counted. Throws the signal's reason, and what
 * `refused` throws.
 */
export async function askLine(
  endpoint: Endpoint,
  request: BatchRequest,
  options: AskLineOptions,
): Promise<AskedLine> {
  const {signal, retries} = options
  let refusals = 0
  for (let tries = 1; ; ) {
    const startedMs = performance.now()
    const told = await tryOnce(endpoint, request, options)
    const tookMs = performance.now() - startedMs
    if ('words' in told) {
      options.refused(told.words, told.kind)
      const pauseMs = told.retryAfterMs ?? FIRST_PAUSE_MS * 2 ** Math.min(refusals++, 3)
      await rest(pauseMs, signal)
      continue
    }
    refusals = 0
    if (told.kind === 'settled' || tries > retries) {
      const {node, requestId, queueMs} = told.reply ?? {}
      return {
        outcome: told.outcome,
        ...(node === undefined ? {} : {node}),
        ...(requestId === undefined ? {} : {requestId}),
        ...(queueMs === undefined ? {} : {queueMs}),
        ...{tookMs, tries},
      }
    }
    await rest(FIRST_PAUSE_MS * 2 ** Math.min(tries - 1, 6), signal)
    tries++
  }
}

type Told =
  | {readonly kind: 'busy' | 'absent'; readonly words: string; readonly retryAfterMs?: number}
  /** `settled`: to ask again would change nothing. */
  | {
      readonly kind: 'settled' | 'again'
      readonly outcome: LineOutcome
      readonly reply?: Reply
    }

async function tryOnce(
  endpoint: Endpoint,
  request: BatchRequest,
  {signal, timeoutMs, policy}: AskLineOptions,
): Promise<Told> {
  const limit = withDeadline([signal], timeoutMs)
  try {
    return understand(await askOnce(endpoint, request, {signal: limit.signal, policy}))
  } catch (error) {
    signal.throwIfAborted()
    if (!OllamaxError.is(error)) throw error
    if (isAbsent(error)) return {kind: 'absent', words: error.message}
    const code = error.code === 'NODE_UNREACHABLE' ? 'unreachable' : error.code.toLowerCase()
    return {kind: 'again', outcome: failed(code, error.message)}
  } finally {
    limit.end()
  }
}

function understand(reply: Reply): Told {
  const {status, answer, words = '', retryAfterMs} = reply
  if (answer) return {kind: 'settled', outcome: {kind: 'answered', answer, status}, reply}
  if (status === 429 || status === 503)
    return {kind: 'busy', words, ...(retryAfterMs === undefined ? {} : {retryAfterMs})}
  const again = status >= 500 && judge({kind: 'reply', status, words}) !== 'caller'
  return {
    kind: again && status !== 501 ? 'again' : 'settled',
    outcome: {...failed(`http_${status}`, words || `status ${status}`), status},
    reply,
  }
}

const failed = (code: string, message: string) =>
  ({kind: 'failed', error: {code, message}}) as const

/** Not all at the same moment. */
async function rest(ms: number, signal: AbortSignal): Promise<void> {
  const pauseMs = Math.min(ms, LONGEST_PAUSE_MS) * (0.75 + Math.random() / 2)
  await pause(pauseMs, undefined, {signal}).catch((error: unknown) => {
    signal.throwIfAborted()
    throw new Error(messageOf(error), {cause: error})
  })
}
