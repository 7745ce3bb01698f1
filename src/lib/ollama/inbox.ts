/** So many bytes may wait to be read before the sender is to hold back. */
const FULL_BYTES = 64 * 1024

/**
 * Chunks as they come for one reader: a stream's part that is needed here, for a fraction of what a stream costs those who
 * read hundreds of nodes.
 */
export class Inbox implements AsyncIterable<Uint8Array>, AsyncIterator<Uint8Array, undefined> {
  readonly #chunks: Uint8Array[] = []
  readonly #drained: () => void
  #bytes = 0
  #over: {readonly error?: unknown} | undefined
  #reader: PromiseWithResolvers<IteratorResult<Uint8Array, undefined>> | undefined

  /** `drained` is called when there is room again after `push` said that there is none. */
  constructor(drained: () => void) {
    this.#drained = drained
  }

  /** False: hold back until there is room. */
  push(chunk: Uint8Array): boolean {
    if (this.#over) return true
    if (this.#reader) {
      this.#reader.resolve({done: false, value: chunk})
      this.#reader = undefined
      return true
    }
    this.#chunks.push(chunk)
    this.#bytes += chunk.length
    return this.#bytes < FULL_BYTES
  }

  /** All has come. */
  end(): void {
    this.#finish({})
  }

  /** No more comes; what has come is read before the error is thrown. */
  fail(error: unknown): void {
    this.#finish({error})
  }

  /** The same, and nobody wants what has come. */
  drop(error: unknown): void {
    this.#chunks.length = 0
    this.#finish({error})
  }

  next(): Promise<IteratorResult<Uint8Array, undefined>> {
    const value = this.#chunks.shift()
    if (value) {
      const full = this.#bytes >= FULL_BYTES
      this.#bytes -= value.length
      if (full && this.#bytes < FULL_BYTES) this.#drained()
      return Promise.resolve({done: false, value})
    }
    if (this.#over) return this.#last(this.#over)
    this.#reader = Promise.withResolvers()
    return this.#reader.promise
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  #finish(over: {readonly error?: unknown}): void {
    this.#over ??= over
    const reader = this.#reader
    this.#reader = undefined
    if (reader) this.#last(this.#over).then(reader.resolve, reader.reject)
  }

  #last(over: {readonly error?: unknown}): Promise<IteratorResult<Uint8Array, undefined>> {
    return 'error' in over
      ? Promise.reject(over.error)
      : Promise.resolve({done: true, value: undefined})
  }
}
