import type {Replica} from './replica.ts'

/**
 * Who will have which slot when, as far as it is planned in one look over a queue: those that are ahead and rather
 * wait for a busy node take up its time, so that the next ones see how long it really is.
 */
export class Plan {
  /** Of each replica, when each of its slots will be free, in ms from now, the soonest first. */
  readonly #slots = new Map<Replica, number[]>()

  /** Time until it has a free slot; undefined: nothing is planned there, as it is. */
  waitMs(replica: Replica): number | undefined {
    return this.#slots.size === 0 ? undefined : this.#slots.get(replica)?.[0]
  }

  /** The slot that is free first will be taken for so long, counted from now. */
  take(replica: Replica, untilMs: number, nowMs: number): void {
    let slots = this.#slots.get(replica)
    if (!slots) {
      slots = replica.slotTimes(nowMs)
      this.#slots.set(replica, slots)
    }
    let at = 0
    while (at + 1 < slots.length && (slots[at + 1] ?? 0) < untilMs) {
      slots[at] = slots[at + 1] ?? 0
      at++
    }
    slots[at] = untilMs
  }
}
