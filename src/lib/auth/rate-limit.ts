import type {Key} from './key.ts'

/** Whether a request may go now. */
export type Taken =
  | {readonly kind: 'ok'}
  /** Asking again earlier is in vain. */
  | {readonly kind: 'wait'; readonly retryAfterMs: number}

/** So many keys are remembered before those that have been quiet are forgotten. */
const MOST_REMEMBERED = 1000

/** Wall times in ms have no exact fractions: without it the last request of a full bucket could be refused. */
const SLACK_MS = 0.5

/**
 * Holds keys to their requests per minute, by a token bucket each: a full one lets a minute's worth
 * through at once (at least one), and it fills evenly. So over T minutes a key gets at most rate x (T + 1).
 * A refused request takes nothing. Lives on when the keys change.
 */
export class RateLimiter {
  /** By a key's id: when its bucket will be full again, ms. One number says all; absent: it is full. */
  readonly #fullAtMs = new Map<string, number>()

  /** Takes one request out of the key's bucket. `nowMs` may jump: back by an hour costs nobody an hour. */
  take(key: Pick<Key, 'id' | 'ratePerMinute'>, nowMs: number): Taken {
    const {id, ratePerMinute} = key
    if (ratePerMinute === undefined) return {kind: 'ok'}
    const oneMs = 60_000 / ratePerMinute
    const wholeMs = Math.max(60_000, oneMs)
    const known = this.#fullAtMs.get(id) ?? 0
    // No bucket takes longer than that to fill: what says so is from another rate, or before the clock was set back.
    const fullAtMs = Math.min(Math.max(known, nowMs), nowMs + wholeMs)
    const waitMs = fullAtMs + oneMs - wholeMs - nowMs
    if (waitMs > SLACK_MS) {
      if (fullAtMs < known) this.#fullAtMs.set(id, fullAtMs)
      return {kind: 'wait', retryAfterMs: Math.ceil(waitMs)}
    }
    if (this.#fullAtMs.size >= MOST_REMEMBERED) this.#forgetFull(nowMs)
    this.#fullAtMs.set(id, fullAtMs + oneMs)
    return {kind: 'ok'}
  }

  /** A bucket that is full is as good as none. */
  #forgetFull(nowMs: number): void {
    for (const [id, fullAtMs] of this.#fullAtMs) if (fullAtMs <= nowMs) this.#fullAtMs.delete(id)
  }
}
