import {OllamaxError} from '../errors.ts'

/** A signal that must be ended, so that its timer and listeners do not outlive the work. */
export interface Limit {
  readonly signal: AbortSignal
  end(): void
}

/** Aborts with the first of the signals, and with TIMEOUT after so many ms (undefined: never). */
export function withDeadline(signals: readonly AbortSignal[], timeoutMs?: number): Limit {
  const stop = new AbortController()
  const listeners = signals.map((signal) => {
    const passOn = () => stop.abort(signal.reason)
    if (signal.aborted) passOn()
    signal.addEventListener('abort', passOn, {once: true})
    return () => signal.removeEventListener('abort', passOn)
  })
  const late = () =>
    stop.abort(
      new OllamaxError('TIMEOUT', `no whole answer within ${timeoutMs} ms`, {
        suggestions: ['a larger --timeout'],
      }),
    )
  const timer = timeoutMs === undefined ? undefined : setTimeout(late, timeoutMs)
  return {
    signal: stop.signal,
    end() {
      clearTimeout(timer)
      for (const remove of listeners) remove()
    },
  }
}

/**
 * What the work comes to. Where it takes longer than `timeoutMs` (throws `late`), or the signal aborts (throws its reason),
 * only the wait ends: a dial may have a longer deadline of its own, and other uses in this process.
 */
export async function waitAtMost<T>(
  work: () => Promise<T>,
  {timeoutMs, late, signal}: {timeoutMs: number; late: Error; signal: AbortSignal},
): Promise<T> {
  signal.throwIfAborted()
  const {promise: enough, reject} = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(late), timeoutMs)
  const interrupt = () => reject(signal.reason)
  signal.addEventListener('abort', interrupt, {once: true})
  try {
    return await Promise.race([work(), enough])
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', interrupt)
  }
}

/**
 * A clock for durations, in ms. Not `performance.now()`: the first use of `performance` loads eight modules
 * of Node's, and this is on the way to the first token.
 */
export const uptimeMs = () => process.uptime() * 1000
