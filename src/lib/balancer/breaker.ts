export type BreakerState = 'closed' | 'open' | 'half-open'

/** So many failures in a row open it; one that shows that nothing comes at all (`atOnce`) suffices alone. */
const FAILURES = 3
/** A failure longer ago than this is no longer "in a row". */
const FORGET_MS = 60_000
const FIRST_OPEN_MS = 1000
const LONGEST_OPEN_MS = 60_000

/**
 * Keeps requests from what fails. Open for a second, then twice as long each time that the probe fails, up to a
 * minute, or less where a failed probe costs little. When the time is over it lets exactly one request through, and that one decides.
 *
 * Every request takes a ticket. What comes back with a ticket of an earlier state says nothing about this one: an
 * answer that was under way when the breaker opened must not close it, nor a late failure open it again.
 */
export class Breaker {
  #epoch = 1
  #open = false
  #untilMs = 0
  #opened = 0
  #failures = 0
  #failedAtMs = Number.NEGATIVE_INFINITY
  #probing = false

  get closed(): boolean {
    return !this.#open
  }

  state(nowMs: number): BreakerState {
    if (!this.#open) return 'closed'
    return nowMs >= this.#untilMs ? 'half-open' : 'open'
  }

  /** True if one more request may go through. */
  allows(nowMs: number): boolean {
    return !this.#open || (nowMs >= this.#untilMs && !this.#probing)
  }

  /** When it lets a request through again, ms; 0 = now; undefined: when its probe is back. */
  opensInMs(nowMs: number): number | undefined {
    if (!this.#open) return 0
    if (this.#probing) return undefined
    return Math.max(0, this.#untilMs - nowMs)
  }

  /** To be called only where `allows` says so; the ticket goes back with the result. */
  take(): number {
    if (this.#open) this.#probing = true
    return this.#open ? -this.#epoch : this.#epoch
  }

  /** True if this success has closed it. */
  succeed(ticket: number): boolean {
    if (Math.abs(ticket) !== this.#epoch) return false
    this.#failures = 0
    if (!this.#open) return false
    this.#epoch++
    this.#open = false
    this.#probing = false
    this.#opened = 0
    return true
  }

  /** True if this failure has opened it; `longestMs`: not for longer than that. */
  fail(
    ticket: number,
    nowMs: number,
    {atOnce, longestMs = LONGEST_OPEN_MS}: {readonly atOnce: boolean; readonly longestMs?: number},
  ): boolean {
    if (Math.abs(ticket) !== this.#epoch) return false
    if (nowMs - this.#failedAtMs > FORGET_MS) this.#failures = 0
    this.#failedAtMs = nowMs
    this.#failures++
    if (!this.#open && !atOnce && this.#failures < FAILURES) return false
    this.#epoch++
    this.#open = true
    this.#probing = false
    this.#untilMs = nowMs + Math.min(longestMs, FIRST_OPEN_MS * 2 ** this.#opened)
    this.#opened = Math.min(this.#opened + 1, 30)
    return true
  }

  /** The request ended without saying anything: another one may be the probe. */
  release(ticket: number): void {
    if (Math.abs(ticket) === this.#epoch) this.#probing = false
  }

  /** There is reason to try at once, for example a reading of a node that could not be reached. */
  tryNow(nowMs: number): void {
    if (this.#open) this.#untilMs = Math.min(this.#untilMs, nowMs)
  }
}
