// Simulated time: what is to happen, in order.

/** Things to come, the soonest first; those of the same time in the order in which they were planned. */
export class Clock {
  nowMs = 0
  #seq = 0
  readonly #heap: Array<{readonly atMs: number; readonly seq: number; readonly run: () => void}> =
    []

  /** Plans something; a time that has passed is now. */
  at(atMs: number, run: () => void): void {
    const heap = this.#heap
    heap.push({atMs: Math.max(atMs, this.nowMs), seq: this.#seq++, run})
    let child = heap.length - 1
    while (child > 0) {
      const parent = (child - 1) >> 1
      if (!this.#before(child, parent)) break
      this.#swap(child, parent)
      child = parent
    }
  }

  /** Lets everything happen until `over` says so or nothing is left. */
  run(over: () => boolean): void {
    for (let next = this.#pop(); next && !over(); next = this.#pop()) {
      this.nowMs = next.atMs
      next.run()
    }
  }

  #pop() {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (!first || !last || heap.length === 0) return first
    heap[0] = last
    let parent = 0
    for (;;) {
      let least = parent
      for (const child of [2 * parent + 1, 2 * parent + 2])
        if (child < heap.length && this.#before(child, least)) least = child
      if (least === parent) return first
      this.#swap(parent, least)
      parent = least
    }
  }

  #before(a: number, b: number): boolean {
    const [one, other] = [this.#heap[a], this.#heap[b]]
    if (!one || !other) return false
    return one.atMs < other.atMs || (one.atMs === other.atMs && one.seq < other.seq)
  }

  #swap(a: number, b: number): void {
    const [one, other] = [this.#heap[a], this.#heap[b]]
    if (!one || !other) return
    this.#heap[a] = other
    this.#heap[b] = one
  }
}

/** Reproducible chance (mulberry32) and what is drawn with it. */
export class Chance {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** 0 <= x < 1. */
  readonly next = (): number => {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }

  /** Time to the next arrival where arrivals are Poisson. */
  exponential(mean: number): number {
    return -mean * Math.log(1 - this.next())
  }

  /** Log-normal with that mean; `sigma` 0.8 gives a variance of about 0.9 squared means. */
  lengths(mean: number, sigma = 0.8): number {
    const normal = Math.sqrt(-2 * Math.log(1 - this.next())) * Math.cos(2 * Math.PI * this.next())
    return Math.max(1, Math.round(mean * Math.exp(sigma * normal - (sigma * sigma) / 2)))
  }

  /** An index below `count`; the first ones more often (Zipf with exponent 1). */
  zipf(count: number): number {
    let sum = 0
    for (let at = 1; at <= count; at++) sum += 1 / at
    let left = this.next() * sum
    for (let at = 1; at <= count; at++) {
      left -= 1 / at
      if (left < 0) return at - 1
    }
    return count - 1
  }
}
