const FIRST_MS = 1000
/** What fails at once costs whoever tries it next to nothing... */
const LONGEST_MS = 8000
/** ...what hangs costs time: so many times as long passes until the next one has to pay for it. */
const COST_TIMES = 4
/** One try of so many is given all the time that a request is given elsewhere: it may be slow only. */
const PATIENT = 8
/** What broke off in front of a client cannot be made good. */
const LONGEST_SHOWN_MS = 60_000

/**
 * When a replica that has failed of late is to be tried in spite of it. Where others are free nobody would ever choose
 * it, and so never find out that it is well again. After a failure a second has to pass, then twice as long each
 * time, up to a bound that follows from what a failed try costs.
 */
export class Trials {
  #times = 0
  #nextMs = Number.POSITIVE_INFINITY
  #pauseMs = 0
  #failedMs = Number.NEGATIVE_INFINITY

  /** True: its failures do not count against it now. */
  due(nowMs: number): boolean {
    return nowMs >= this.#nextMs
  }

  /** True: that it does not begin at once is enough to give it up again. */
  get brief(): boolean {
    return this.#times > 0 && this.#times % PATIENT !== 0
  }

  /** A request goes there. */
  given(nowMs: number): void {
    if (this.due(nowMs)) this.#nextMs = nowMs + this.#pauseMs
  }

  /** Until the next one is due, ms from the last failure. */
  get pauseMs(): number {
    return this.#pauseMs
  }

  /** One that was sent at `sentMs` failed; `shown`: in front of a client, who has lost an answer. */
  failed({sentMs, shown}: {readonly sentMs: number; readonly shown: boolean}, nowMs: number): void {
    // All that were under way when it fell ill are one failure.
    if (sentMs <= this.#failedMs) return
    this.#failedMs = nowMs
    const costMs = shown ? Number.POSITIVE_INFINITY : nowMs - sentMs
    const longestMs = Math.min(LONGEST_SHOWN_MS, Math.max(LONGEST_MS, COST_TIMES * costMs))
    // That the patient one takes longer is our own choice.
    const patient = this.#times > 0 && !this.brief
    if (!patient) this.#pauseMs = Math.min(longestMs, FIRST_MS * 2 ** Math.min(this.#times, 30))
    this.#times++
    this.#nextMs = nowMs + this.#pauseMs
  }

  succeeded(): void {
    this.#times = 0
    this.#nextMs = Number.POSITIVE_INFINITY
  }
}
