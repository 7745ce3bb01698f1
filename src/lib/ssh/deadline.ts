import type {OllamaxError} from '../errors.ts'

/** A time limit joined to the caller's signal. It can stand still while a person is being asked. */
export interface Deadline {
  /** Aborted with the caller's reason, or with the error of the limit. */
  readonly signal: AbortSignal
  /** Waits for `work` with the clock stopped. */
  paused<T>(work: () => Promise<T>): Promise<T>
  /** Must be called when the wait is over. */
  clear(): void
}

/** Starts the clock; unlike AbortSignal.timeout it keeps the process alive, and it can be cleared. */
export function startDeadline(
  ms: number,
  outer: AbortSignal | undefined,
  expired: () => OllamaxError,
): Deadline {
  const abort = new AbortController()
  let leftMs = ms
  let startedMs = 0
  let stops = 0
  let timer: NodeJS.Timeout | undefined
  let cleared = false
  const start = () => {
    startedMs = performance.now()
    timer = setTimeout(() => abort.abort(expired()), Math.max(0, leftMs))
  }
  const stop = () => {
    clearTimeout(timer)
    leftMs -= performance.now() - startedMs
  }
  const forward = () => abort.abort(outer?.reason)
  if (outer?.aborted) forward()
  else {
    outer?.addEventListener('abort', forward, {once: true})
    start()
  }
  return {
    signal: abort.signal,
    async paused(work) {
      if (stops++ === 0) stop()
      try {
        return await work()
      } finally {
        if (--stops === 0 && !cleared && !abort.signal.aborted) start()
      }
    },
    clear() {
      cleared = true
      clearTimeout(timer)
      outer?.removeEventListener('abort', forward)
    },
  }
}

/** `work`, unless the signal aborts first: then its reason is thrown and the outcome of `work` ignored. */
export function abortable<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const onAbort = () => reject(signal.reason)
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort, {once: true})
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
