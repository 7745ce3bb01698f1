import {OllamaxError} from '../errors.ts'
import type {Endpoint} from '../ollama/endpoint.ts'
import {uptimeMs} from './deadline.ts'

/** Looks after a node while an answer of it is awaited. */
export interface NodeWatch {
  /** Aborts with the outer signal, and with TIMEOUT when the node answers nothing any more. */
  readonly signal: AbortSignal
  /** To be called with each sign of life. */
  readonly alive: () => void
  close(): void
}

export interface WatchOptions {
  /** Silence after which the node is asked for its version. */
  readonly quietMs: number
  /** Time that it then has. */
  readonly replyMs: number
}

const DEFAULTS: WatchOptions = {quietMs: 10_000, replyMs: 5000}
/** One lost question may be a busy moment. */
const MISSES = 2

/**
 * Loading a model may take minutes in which nothing is heard, so silence alone ends nothing. But
 * Ollama answers a question for its version within a millisecond even then; a node that leaves two of
 * them unanswered is gone or hangs.
 */
export function watchNode(
  endpoint: Endpoint,
  outer: AbortSignal,
  options: WatchOptions = DEFAULTS,
): NodeWatch {
  const stop = new AbortController()
  const passOn = () => stop.abort(outer.reason)
  outer.addEventListener('abort', passOn, {once: true})
  let heardMs = uptimeMs()
  let misses = 0
  const check = async () => {
    const askedMs = uptimeMs()
    const quietMs = askedMs - heardMs
    if (quietMs < options.quietMs) return again(options.quietMs - quietMs)
    const answers = await isAnswering(endpoint, stop.signal, options.replyMs)
    if (stop.signal.aborted) return
    misses = answers || heardMs > askedMs ? 0 : misses + 1
    if (misses >= MISSES)
      stop.abort(
        new OllamaxError('TIMEOUT', 'the node does not answer any more', {
          details: {phase: 'body'},
        }),
      )
    else again(options.quietMs)
  }
  let timer: NodeJS.Timeout
  const again = (ms: number) => {
    timer = setTimeout(() => void check(), ms)
  }
  again(options.quietMs)
  return {
    signal: stop.signal,
    alive: () => {
      heardMs = uptimeMs()
    },
    close() {
      clearTimeout(timer)
      outer.removeEventListener('abort', passOn)
      stop.abort()
    },
  }
}

async function isAnswering(
  endpoint: Endpoint,
  signal: AbortSignal,
  replyMs: number,
): Promise<boolean> {
  const {version} = await import('../ollama/read-node.ts')
  try {
    await version(endpoint, {signal, connectTimeoutMs: replyMs, headersTimeoutMs: replyMs})
    return true
  } catch (error) {
    // Any answer will do, also one of a server that has no such path.
    return OllamaxError.is(error, 'NODE_ERROR')
  }
}
