const KEPT = 64
/** From fewer nothing can be said about what is seldom. */
const LEAST = 20
const SHARE = 0.95

/** How late the latest first bytes of a replica came, as multiples of what was expected of each. */
export class FirstBytes {
  #latest: number[] = []
  #next = 0
  #usual: number | undefined

  add(lateness: number): void {
    this.#latest[this.#next] = lateness
    this.#next = (this.#next + 1) % KEPT
    this.#usual = undefined
  }

  /** Only one in twenty came later; undefined: too few have come. */
  get usual(): number | undefined {
    const {length} = this.#latest
    if (length < LEAST) return undefined
    this.#usual ??= this.#latest.toSorted((a, b) => a - b)[Math.ceil(SHARE * length) - 1]
    return this.#usual
  }
}
