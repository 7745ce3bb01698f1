/** Smaller ones come from the pool that Node keeps, or cost little. */
const LEAST_BYTES = 16 * 1024
/** Larger ones are rare. */
const MOST_BYTES = 1024 * 1024
/** Of those that lie unused; beyond, they are left to the garbage collector. */
const KEPT_BYTES = 16 * 1024 * 1024

/**
 * Memory for large bodies that is used again. New memory of 128 KiB costs the kernel some 30 microseconds to provide, and
 * as it counts for the collector of garbage, that one stops everything sooner.
 */
export class BodyBuffers {
  /** By the power of two that is their size. */
  readonly #free = new Map<number, Buffer[]>()
  #freeBytes = 0
  /** Those that were taken and may come back. */
  readonly #taken = new WeakSet<Buffer>()

  /** A buffer of that length, of unknown content. */
  take(length: number): Buffer {
    if (length < LEAST_BYTES || length > MOST_BYTES) return Buffer.allocUnsafe(length)
    const size = 2 ** Math.ceil(Math.log2(length))
    const kept = this.#free.get(size)?.pop()
    if (kept) this.#freeBytes -= size
    const taken = (kept ?? Buffer.allocUnsafeSlow(size)).subarray(0, length)
    this.#taken.add(taken)
    return taken
  }

  /** Nobody reads it any more, the kernel included. One that was not taken here, or was given back before, is let be. */
  give(taken: Buffer): void {
    if (!this.#taken.delete(taken)) return
    const {byteLength: size} = taken.buffer
    if (this.#freeBytes + size > KEPT_BYTES) return
    this.#freeBytes += size
    const kept = this.#free.get(size)
    const whole = Buffer.from(taken.buffer)
    if (kept) kept.push(whole)
    else this.#free.set(size, [whole])
  }
}
