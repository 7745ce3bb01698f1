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
 * A clock for durations, in ms. Not `performance.now()`: the first use of `performance` loads eight modules
 * of Node's, and this is on the way to the first token.
 */
export const uptimeMs = () => process.uptime() * 1000
