const FIRST_BUSY_MS = 250
const LONGEST_BUSY_MS = 5000
const FIRST_BAN_MS = 30_000
const LONGEST_BAN_MS = 300_000

/** What keeps requests from a replica for a while, other than its breaker. */
export class Hindrance {
  #missingMs: number | undefined
  #busyUntilMs = Number.NEGATIVE_INFINITY
  #busyTimes = 0
  #bannedMs = Number.NEGATIVE_INFINITY
  #bannedUntilMs = Number.NEGATIVE_INFINITY
  #bans = 0
  #ramp = Number.POSITIVE_INFINITY

  /** True: the node said that it does not have the model, and no later reading says otherwise. */
  get missing(): boolean {
    return this.#missingMs !== undefined
  }

  get bannedUntilMs(): number {
    return this.#bannedUntilMs
  }

  /** Requests that it may have at once: after a recovery one, then two, then four... */
  get ramp(): number {
    return this.#ramp
  }

  now(nowMs: number): 'no-model' | 'banned' | 'busy' | undefined {
    if (this.#missingMs !== undefined) return 'no-model'
    if (nowMs < this.#bannedUntilMs) return 'banned'
    return nowMs < this.#busyUntilMs ? 'busy' : undefined
  }

  /** How long it stays banned or busy. */
  leftMs(nowMs: number): number {
    return Math.max(0, this.#bannedUntilMs - nowMs, this.#busyUntilMs - nowMs)
  }

  missed(nowMs: number): void {
    this.#missingMs = nowMs
  }

  /** A reading of that time lists the model. */
  listed(atMs: number): void {
    if (this.#missingMs !== undefined && atMs > this.#missingMs) this.#missingMs = undefined
  }

  /** It has enough to do. That passes soon and is no illness. */
  tooBusy(nowMs: number): void {
    this.#busyUntilMs = nowMs + Math.min(LONGEST_BUSY_MS, FIRST_BUSY_MS * 2 ** this.#busyTimes)
    this.#busyTimes = Math.min(this.#busyTimes + 1, 10)
  }

  /** It could not load the model for a request sent at `sentMs`; that seldom passes soon. */
  ban(sentMs: number, nowMs: number): void {
    // All that waited for one load are one failure.
    if (sentMs <= this.#bannedMs) return
    this.#bannedMs = nowMs
    this.#bannedUntilMs = nowMs + Math.min(LONGEST_BAN_MS, FIRST_BAN_MS * 2 ** this.#bans)
    this.#bans = Math.min(this.#bans + 1, 20)
  }

  /**
   * A reading of that time finds the model in memory, where somebody else has brought it. A runner that died is listed for a
   * while, too, so that counts only after a time.
   */
  loaded(atMs: number): void {
    if (atMs >= this.#bannedMs + FIRST_BAN_MS) this.unban()
  }

  /** There is reason to try again: another model has that name now. */
  unban(): void {
    this.#bannedUntilMs = Number.NEGATIVE_INFINITY
  }

  succeeded(slots: number): void {
    this.#busyTimes = 0
    this.#bans = 0
    if (this.#ramp >= slots) this.#ramp = Number.POSITIVE_INFINITY
    else this.#ramp *= 2
  }

  recovered(): void {
    this.#ramp = 1
  }
}
