/** Samples below which a mean says nothing. */
const SAMPLES = 4
/** How much slower each further one makes all, until that is learned. */
const CROWDING = 0.2
/** Beyond so many, how much each further one slows the others is hard to tell. */
const MOST_CROWD = 8
const NEWEST = 0.1
/** Each further one at once has to give so much of what one gave before, on average. */
const SHARE = 0.15
/** Standard errors that a difference has to be beyond to be believed. */
const ERRORS = 1.5
/** Squared deviation of times that seem to be all the same. */
const LEAST_VARIANCE = 0.03 ** 2

/** Of requests with the same number at once, as moving means. */
interface Level {
  tookMs: number
  work: number
  /** Squared, of how far a request's time is from what its work would take, as a share of the mean time. */
  variance: number
  samples: number
}

/**
 * How much a node gets done by how many requests it has at once. Compared with regard to how much the times differ by
 * themselves, and over steps of up to four times as many: that one more than thirty is worth three hundredths can be
 * seen in no measurement. Time and work are summed apart, since who waits long for others may have little to do.
 */
export class Throughput {
  readonly #levels: Array<Level | undefined> = []

  /** One request took so long for so much work when it was one of `atOnce`. */
  measure(atOnce: number, tookMs: number, work: number): void {
    const level = this.#levels[atOnce]
    if (!level) {
      this.#levels[atOnce] = {tookMs, work, variance: LEAST_VARIANCE, samples: 1}
      return
    }
    level.samples++
    const weight = Math.max(NEWEST, 1 / level.samples)
    const off = (tookMs - work * unitMs(level)) / level.tookMs
    level.tookMs += weight * (tookMs - level.tookMs)
    level.work += weight * (work - level.work)
    level.variance = (1 - weight) * (level.variance + weight * off * off)
  }

  /** True: enough was measured with so many at once. */
  knows(atOnce: number): boolean {
    return (this.#levels[atOnce]?.samples ?? 0) >= SAMPLES
  }

  /** Beyond so many nothing is known any more. */
  forgetAbove(atOnce: number): void {
    this.#levels.length = Math.min(this.#levels.length, atOnce + 1)
  }

  /**
   * What so many at once are worth. `vain`: certainly no more than `than` at once; `worth`: certainly more than fewer
   * at once; neither: nobody can tell yet.
   */
  verdict(atOnce: number): {readonly worth: boolean; readonly than?: number} {
    if (!this.knows(atOnce)) return {worth: false}
    let certain = atOnce === 1
    let better = true
    for (let before = atOnce - 1; before >= Math.max(1, Math.floor(atOnce / 4)); before--) {
      const gain = this.#gain(atOnce, before)
      if (!gain) continue
      const wanted = Math.log1p((SHARE * (atOnce - before)) / before)
      if (gain.log + gain.error < wanted) return {worth: false, than: before}
      better &&= gain.log >= wanted
      certain ||= gain.log - gain.error > wanted
    }
    return {worth: better && certain}
  }

  /** How much slower each further request at once makes all of them, 0...1. */
  get crowding(): number {
    const alone = this.#levels[1]
    if (!alone || alone.samples < SAMPLES) return CROWDING
    for (let count = Math.min(this.#levels.length - 1, MOST_CROWD); count > 1; count--) {
      const level = this.#levels[count]
      if (!level || level.samples < SAMPLES) continue
      return Math.min(1, Math.max(0, (unitMs(level) / unitMs(alone) - 1) / (count - 1)))
    }
    return CROWDING
  }

  /** The logarithm of how much more is done with `count` than with `before`, and how wrong it may be. */
  #gain(count: number, before: number): {readonly log: number; readonly error: number} | undefined {
    const [more, less] = [this.#levels[count], this.#levels[before]]
    if (!more || !less || more.samples < SAMPLES || less.samples < SAMPLES) return undefined
    const log = Math.log((count * unitMs(less)) / (before * unitMs(more)))
    return {log, error: ERRORS * Math.sqrt(errorOf(more) + errorOf(less))}
  }
}

function unitMs({tookMs, work}: Level): number {
  return tookMs / work
}

/** Squared error of a moving mean, as a share of it. */
function errorOf({variance, samples}: Level): number {
  return Math.max(variance, LEAST_VARIANCE) / Math.min(samples, 2 / NEWEST - 1)
}
