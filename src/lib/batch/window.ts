/** Before anything is known: enough for a few machines, and little to wait for on a single one. */
const START = 16
/** As many as the gateway lets wait for a model: whatever is slow, no line is refused for being one too many. */
const MOST = 512
const NEWEST = 0.1
/** Of those under way so many are to wait for a slot, so that none is free while there is work... */
const LEAST_WAITING = {share: 1 / 4, count: 4}
/** ...and no more than these, because they stand in the way of everybody else. */
const MOST_WAITING = {share: 2 / 5, count: 12}
const SHRINK = 0.25

/** How an answer came about. */
export interface Answered {
  /** How long it waited for a slot. */
  readonly queueMs: number
  /** From sending it to its end. */
  readonly tookMs: number
}

/**
 * How many requests of a batch are to be under way. How many the nodes take at once nobody has to know: as long as
 * answers come that did not wait for a slot, there is room for more; the share of their time that they wait is the
 * share of them that waits.
 */
export class Window {
  readonly #fixed: number | undefined
  #size = START
  #queueMs: number | undefined
  #tookMs = 0

  /** With a number it stays that one. */
  constructor(fixed?: number) {
    this.#fixed = fixed
  }

  get size(): number {
    return this.#fixed ?? Math.floor(this.#size)
  }

  answered({queueMs, tookMs}: Answered): void {
    const first = this.#queueMs === undefined
    this.#queueMs = first ? queueMs : mean(this.#queueMs ?? 0, queueMs)
    this.#tookMs = first ? tookMs : mean(this.#tookMs, tookMs)
    const waiting = this.#tookMs > 0 ? (this.#size * this.#queueMs) / this.#tookMs : 0
    if (waiting < wanted(LEAST_WAITING, this.#size)) this.#size = Math.min(MOST, this.#size + 1)
    else if (waiting > wanted(MOST_WAITING, this.#size))
      this.#size = Math.max(1, this.#size - SHRINK)
  }

  /** Somebody had too much to do. */
  refused(): void {
    this.#size = Math.max(1, this.#size * 0.7)
  }
}

const mean = (before: number, now: number) => before + NEWEST * (now - before)

const wanted = ({share, count}: {readonly share: number; readonly count: number}, size: number) =>
  Math.max(count, size * share)
