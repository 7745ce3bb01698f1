/** A wait at the node shorter than this says nothing: it is scheduling and network. */
const QUEUED_MS = 20
/** ...and so does a smaller share of the whole request. */
const QUEUED_SHARE = 0.15
/** One more at once has to give at least so much more throughput. */
const GAIN = 1.05
/** Requests this short are no measure, and waiting for one of them is none worth avoiding. */
const SHORT_MS = 20
const SAMPLES = 4
/** How much slower each further one makes all, until that is learned. */
const CROWDING = 0.2
const NEWEST = 0.2
const FIRST_RETRY_MS = 30_000
const LONGEST_RETRY_MS = 900_000

/** How one request ran, as far as it tells how many run at once. */
export interface Run {
  /** Requests of ours that were there when it came, and it. */
  readonly atOnce: number
  /** Of the node's own account: how long it waited there; undefined: it does not tell. */
  readonly queueMs: number | undefined
  /** From sending to end. */
  readonly tookMs: number
  /** What was done, in any unit that grows with the time that it takes. */
  readonly work: number
}

/**
 * How many requests a node answers at once of a model, where nobody told: starts at one, and tries one more as long
 * as that neither waits at the node nor leaves the throughput as it was. Ollama's default is one.
 */
export class Slots {
  readonly #most: number
  #count = 1
  /** Time per unit of work by how many were there. */
  readonly #unitMs: Array<{ms: number; samples: number} | undefined> = []
  /** One more was in vain; not tried again before. */
  #notBeforeMs = 0
  #vain = 0

  constructor(most: number) {
    this.#most = most
  }

  get count(): number {
    return this.#count
  }

  /** How much slower each further request at once makes all of them, 0...1. */
  get crowding(): number {
    const alone = this.#unitMs[1]
    if (!alone || alone.samples < SAMPLES) return CROWDING
    for (let count = Math.min(this.#unitMs.length - 1, 8); count > 1; count--) {
      const one = this.#unitMs[count]
      if (one && one.samples >= SAMPLES)
        return Math.min(1, Math.max(0, (one.ms / alone.ms - 1) / (count - 1)))
    }
    return CROWDING
  }

  /** Learns from one request that went well and found its model loaded. */
  learn(run: Run, nowMs: number): void {
    const {atOnce, queueMs, tookMs} = run
    const queued = (queueMs ?? 0) > Math.max(QUEUED_MS, tookMs * QUEUED_SHARE)
    if (queued) {
      if (atOnce > 1 && atOnce <= this.#count) this.#lower(atOnce - 1, nowMs)
      return
    }
    this.#measure(run)
    if (atOnce < this.#count) return
    if (tookMs > SHORT_MS) {
      const useful = this.#useful()
      if (useful < this.#count) {
        this.#lower(useful, nowMs)
        return
      }
      // Where the node does not tell that it waited, the throughput has to say so, and that takes some samples.
      if (queueMs === undefined && (this.#unitMs[atOnce]?.samples ?? 0) < SAMPLES) return
    }
    if (nowMs >= this.#notBeforeMs) this.#count = Math.min(this.#most, atOnce + 1)
  }

  #lower(count: number, nowMs: number): void {
    this.#count = count
    this.#unitMs.length = count + 1
    this.#notBeforeMs = nowMs + Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#vain)
    this.#vain = Math.min(this.#vain + 1, 30)
  }

  #measure({atOnce, tookMs, work}: Run): void {
    if (atOnce > this.#most) return
    const unitMs = tookMs / Math.max(1, work)
    const known = this.#unitMs[atOnce]
    if (!known) {
      this.#unitMs[atOnce] = {ms: unitMs, samples: 1}
      return
    }
    known.samples++
    known.ms += Math.max(NEWEST, 1 / known.samples) * (unitMs - known.ms)
  }

  /** The most at once for which there is no proof that it is in vain. */
  #useful(): number {
    for (let count = 2; count <= this.#count; count++) {
      const one = this.#unitMs[count]
      const before = this.#unitMs[count - 1]
      if (!one || !before || one.samples < SAMPLES || before.samples < SAMPLES) continue
      if (count / one.ms < (GAIN * (count - 1)) / before.ms) return count - 1
    }
    return this.#count
  }
}
