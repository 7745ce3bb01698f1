import {type Priority, priorityRank} from '../cluster/priority.ts'

/** Lower goes first. `FIRST` is for what was taken from a node again. */
const FIRST = -1

/** One that waits. */
export interface Waiting<T> {
  readonly item: T
  readonly sinceMs: number
  readonly seq: number
  /** Virtual time at which its tenant's share is used up by it. */
  readonly finish: number
  rank: number
}

interface Ticket {
  readonly tenant: string
  readonly weight: number
  readonly priority: Priority
  /** Share that it uses, in a unit that stays the same. */
  readonly cost: number
  /** True: it was given to a node before and goes first. */
  readonly again?: boolean
}

/**
 * Who waits for one model, in the order of going: priority first, then the tenant that has had the least of its
 * share (start-time fair queueing), then who came first. Whoever waits rises in priority, so nobody waits for ever.
 */
export class FairQueue<T> {
  readonly #most: number
  #waiting: Array<Waiting<T>> = []
  /** Of each tenant, where its last one ends in virtual time; only of those ahead of the clock. */
  #finish = new Map<string, number>()
  #clock = 0
  #seq = 0

  constructor(most: number) {
    this.#most = most
  }

  get length(): number {
    return this.#waiting.length
  }

  /** Best first. */
  get waiting(): readonly Waiting<T>[] {
    return this.#waiting
  }

  /** Puts it in its place. Returns who is one too many then: the last, perhaps this one itself. */
  push(item: T, ticket: Ticket, nowMs: number): T | undefined {
    const start = Math.max(this.#clock, this.#finish.get(ticket.tenant) ?? 0)
    const finish = start + ticket.cost / Math.max(ticket.weight, 1e-6)
    if (!ticket.again) this.#finish.set(ticket.tenant, finish)
    const rank = ticket.again ? FIRST : priorityRank(ticket.priority)
    this.#insert({item, sinceMs: nowMs, seq: this.#seq++, finish, rank})
    return this.#waiting.length > this.#most ? this.#waiting.pop()?.item : undefined
  }

  /** Takes out the one at that place (0 = the first), because it goes. */
  take(at: number): T | undefined {
    const [taken] = this.#waiting.splice(at, 1)
    if (taken && taken.finish > this.#clock) this.#clock = taken.finish
    if (this.#waiting.length === 0) this.#finish.clear()
    return taken?.item
  }

  /** Takes it out, because it is no longer wanted. */
  remove(item: T): boolean {
    const at = this.#waiting.findIndex((one) => one.item === item)
    if (at < 0) return false
    this.#waiting.splice(at, 1)
    if (this.#waiting.length === 0) this.#finish.clear()
    return true
  }

  /** Lets those rise that have waited long enough for it. */
  age(nowMs: number, ageingMs: number, priorityOf: (item: T) => Priority): void {
    const risen: Array<Waiting<T>> = []
    const rest = this.#waiting.filter((one) => {
      if (one.rank <= 0) return true
      const steps = Math.floor(Math.max(0, nowMs - one.sinceMs) / ageingMs)
      const rank = Math.max(0, priorityRank(priorityOf(one.item)) - steps)
      if (rank >= one.rank) return true
      one.rank = rank
      risen.push(one)
      return false
    })
    if (risen.length === 0) return
    this.#waiting = rest
    for (const one of risen) this.#insert(one)
  }

  #insert(one: Waiting<T>): void {
    let low = 0
    let high = this.#waiting.length
    while (low < high) {
      const middle = (low + high) >> 1
      const other = this.#waiting[middle]
      if (other && before(other, one)) low = middle + 1
      else high = middle
    }
    this.#waiting.splice(low, 0, one)
  }
}

function before(a: Waiting<unknown>, b: Waiting<unknown>): boolean {
  if (a.rank !== b.rank) return a.rank < b.rank
  if (a.finish !== b.finish) return a.finish < b.finish
  return a.seq < b.seq
}
