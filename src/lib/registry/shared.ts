/** One piece of work that several wait for: begun by the first, ended when nobody has waited for it for a while. */
export class Shared<T> {
  readonly #stop = new AbortController()
  readonly #graceMs: number
  readonly #result: Promise<T>
  #waiting = 0
  #timer: NodeJS.Timeout | undefined

  constructor(work: (signal: AbortSignal) => Promise<T>, graceMs: number) {
    this.#graceMs = graceMs
    this.#result = work(this.#stop.signal)
    this.#result.catch(() => {})
  }

  /** The result; rejects with the signal's reason for the one who no longer waits. */
  async wait(signal: AbortSignal): Promise<T> {
    signal.throwIfAborted()
    clearTimeout(this.#timer)
    this.#waiting++
    const {promise, reject} = Promise.withResolvers<never>()
    const left = () => reject(signal.reason)
    signal.addEventListener('abort', left, {once: true})
    try {
      return await Promise.race([this.#result, promise])
    } finally {
      signal.removeEventListener('abort', left)
      if (--this.#waiting === 0) {
        this.#timer = setTimeout(
          () => this.end(new Error('nobody waits for it any more')),
          this.#graceMs,
        ).unref()
      }
    }
  }

  /** Ends the work for all who wait. */
  end(reason: unknown): void {
    clearTimeout(this.#timer)
    this.#stop.abort(reason)
  }
}
