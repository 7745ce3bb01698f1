/**
 * The beginnings of prompts that a replica has evaluated, as hashes; the longest unused ones are forgotten first.
 * A hash stands for a whole beginning, so a beginning is known only together with all shorter ones of it.
 */
export class PrefixIndex {
  readonly #most: number
  /** Two ages instead of one list in order of use: taking things out of a Set again and again is dear (see IdTable). */
  #young = new Set<number>()
  #old = new Set<number>()
  /** Grows each time that all is forgotten. */
  epoch = 0

  /** `most`: hashes of one age; in all there are at most twice as many. */
  constructor(most: number) {
    this.#most = most
  }

  /** How many leading blocks of it are known. */
  match(prefix: readonly number[]): number {
    if (this.#young.size + this.#old.size === 0) return 0
    let low = 0
    let high = prefix.length
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (this.#knows(prefix[middle - 1] ?? Number.NaN)) low = middle
      else high = middle - 1
    }
    return low
  }

  /** The replica has evaluated a prompt with this beginning. */
  add(prefix: readonly number[]): void {
    const count = Math.min(prefix.length, this.#most)
    // Before, not while it is added: all beginnings of a beginning must be of one age.
    if (this.#young.size + count > this.#most) {
      this.#old = this.#young
      this.#young = new Set()
    }
    for (let at = 0; at < count; at++) this.#young.add(prefix[at] ?? Number.NaN)
  }

  /** The model was unloaded. */
  clear(): void {
    this.#young.clear()
    this.#old.clear()
  }

  get size(): number {
    return this.#young.size + this.#old.size
  }

  #knows(hash: number): boolean {
    return this.#young.has(hash) || this.#old.has(hash)
  }
}
