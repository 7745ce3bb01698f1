/**
 * The beginnings of prompts that a replica has evaluated, as hashes; the longest unused ones are forgotten first.
 * A hash stands for a whole beginning, so a beginning is known only together with all shorter ones of it.
 */
export class PrefixIndex {
  readonly #most: number
  readonly #known = new Set<number>()
  /** Grows each time that all is forgotten. */
  epoch = 0

  constructor(most: number) {
    this.#most = most
  }

  /** How many leading blocks of it are known. */
  match(prefix: readonly number[]): number {
    if (this.#known.size === 0) return 0
    let low = 0
    let high = prefix.length
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (this.#known.has(prefix[middle - 1] ?? Number.NaN)) low = middle
      else high = middle - 1
    }
    return low
  }

  /** The replica has evaluated a prompt with this beginning. */
  add(prefix: readonly number[]): void {
    // The longest first: what is forgotten first must not be a beginning of what is kept.
    for (let at = Math.min(prefix.length, this.#most) - 1; at >= 0; at--) {
      const hash = prefix[at] ?? Number.NaN
      this.#known.delete(hash)
      this.#known.add(hash)
    }
    for (const oldest of this.#known) {
      if (this.#known.size <= this.#most) break
      this.#known.delete(oldest)
    }
  }

  /** The model was unloaded. */
  clear(): void {
    this.#known.clear()
    this.epoch++
  }

  get size(): number {
    return this.#known.size
  }
}
