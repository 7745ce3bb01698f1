/** Counts observations by size, as a Prometheus histogram shows them. */
export class Buckets {
  /** Upper bounds in seconds, rising. */
  readonly bounds: readonly number[]
  /** How many fell under each bound and above the one before; the last: above all. */
  readonly counts: Float64Array
  count = 0
  sumSeconds = 0

  constructor(bounds: readonly number[]) {
    this.bounds = bounds
    this.counts = new Float64Array(bounds.length + 1)
  }

  /** A clock that went back counts as no time at all; what is no number is left out. */
  observe(ms: number): void {
    const seconds = ms > 0 ? ms / 1000 : 0
    if (!(ms < Number.POSITIVE_INFINITY)) return
    let at = 0
    while (seconds > (this.bounds[at] ?? Number.POSITIVE_INFINITY)) at++
    this.counts[at] = (this.counts[at] ?? 0) + 1
    this.count++
    this.sumSeconds += seconds
  }
}
