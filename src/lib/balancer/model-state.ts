import type {AnswerStats} from '../cluster/answer-stats.ts'
import type {Job} from './job.ts'
import type {DispatchLimits} from './limits.ts'
import {FairQueue} from './queue.ts'
import type {Rate} from './rates.ts'
import type {Replica} from './replica.ts'

/** Weight of the newest answer in what is known of a model's answers. */
const NEWEST = 0.05
/** Answers differ in length about as much as their mean, until they have shown otherwise. */
const VARIATION = 1
/** Something that takes this many times longer than usual is no longer taken for usual. */
const OVERDUE = 3
/** What was long is forgotten by half in 350 answers. */
const FADES = 0.998
/** Answers after which the mean of all nodes is taken anew. */
const LEARNED = 20
/** An estimate of the queue's pace is good for so long. */
const PACE_MS = 100
/** What counts as use of late: half of it is forgotten in this time. */
const USE_HALF_LIFE_MS = 120_000

/** One model in the whole fleet: who has it, who waits for it, and what its answers are like. */
export class ModelState {
  readonly key: string
  readonly queue: FairQueue<Job>
  readonly replicas: Replica[] = []
  #meanTokens: number | undefined
  #variance = 0
  #samples = 0
  #longest: number | undefined
  #uses = 0
  #usedAtMs = 0
  #others: Partial<Rate> = {}
  #learned = 0
  #pace = {atMs: Number.NEGATIVE_INFINITY, firstMs: 0, perMs: 0}

  constructor(key: string, limits: DispatchLimits) {
    this.key = key
    this.queue = new FairQueue(limits.queueLength)
  }

  /** What the nodes have shown of it, as a mean: the guess for one that has not shown anything yet. */
  get others(): Partial<Rate> {
    // One more answer changes the mean of what is known but little.
    if (this.#learned > (this.#others.answerTps === undefined ? 0 : LEARNED)) {
      this.#others = this.#meanRate()
      this.#learned = 0
    }
    return this.#others
  }

  /** Of an answer, as a mean. */
  get answerTokens(): number | undefined {
    return this.#meanTokens
  }

  /** Of the longest answer of late. */
  get longestTokens(): number | undefined {
    return this.#longest
  }

  /** Learns from an answer what answers of this model are like. */
  learn({answerTokens}: AnswerStats): void {
    this.#learned++
    if (answerTokens === undefined) return
    this.#samples++
    this.#longest = Math.max(answerTokens, (this.#longest ?? 0) * FADES)
    const weight = Math.max(NEWEST, 1 / this.#samples)
    const off = answerTokens - (this.#meanTokens ?? answerTokens)
    this.#meanTokens = (this.#meanTokens ?? answerTokens) + weight * off
    this.#variance = (1 - weight) * (this.#variance + weight * off * off)
  }

  /** A replica came, went or learned. */
  changed(): void {
    this.#learned = Number.POSITIVE_INFINITY
  }

  /** One request was sent. */
  used(nowMs: number): void {
    this.#uses = this.#decayed(nowMs) + 1
    this.#usedAtMs = nowMs
  }

  /** Nodes that have it in memory. */
  get loadedOn(): number {
    let count = 0
    for (const replica of this.replicas) if (replica.residence.loaded) count++
    return count
  }

  /** Requests per ms of late. */
  usesPerMs(nowMs: number): number {
    return (this.#decayed(nowMs) * Math.LN2) / USE_HALF_LIFE_MS
  }

  /** The same without the last one: a single use says nothing of others to come. */
  repeatedPerMs(nowMs: number): number {
    return (Math.max(0, this.#decayed(nowMs) - 1) * Math.LN2) / USE_HALF_LIFE_MS
  }

  /**
   * What is left of something that takes `usualMs` on average and has taken `elapsedMs`: the difference where all
   * answers are alike, as much as ever where their lengths are a matter of chance.
   */
  residualMs(usualMs: number, elapsedMs: number): number {
    const chance = Math.min(1, this.#variation())
    const left = (1 - chance) * Math.max(0, usualMs - elapsedMs) + chance * usualMs
    // What is far overdue may be stuck: the longer it takes, the longer it will.
    return Math.max(left, (elapsedMs - OVERDUE * usualMs) / 2, usualMs * 0.02)
  }

  /** Squared coefficient of variation of the answers' lengths. */
  #variation(): number {
    if (this.#samples < 5 || !this.#meanTokens) return VARIATION
    return this.#variance / this.#meanTokens ** 2
  }

  /** Time after which that many of those that wait will have been sent. */
  queueMs(count: number, nowMs: number): number {
    const {firstMs, perMs} = this.#paceNow(nowMs)
    return Math.round(firstMs + (perMs > 0 ? Math.max(0, count - 1) / perMs : 0))
  }

  /** When the first slot will be free, and how many requests end per ms; not more than a moment old. */
  #paceNow(nowMs: number): {readonly firstMs: number; readonly perMs: number} {
    if (nowMs - this.#pace.atMs < PACE_MS && nowMs >= this.#pace.atMs) return this.#pace
    let perMs = 0
    let firstMs = Number.POSITIVE_INFINITY
    for (const replica of this.replicas) {
      if (replica.at.down || replica.hindrance.missing) continue
      const serviceMs = replica.own?.serviceMs ?? this.others.serviceMs
      if (serviceMs !== undefined && serviceMs > 0) perMs += replica.slots / serviceMs
      firstMs = Math.min(firstMs, replica.freeInMs(nowMs))
    }
    this.#pace = {atMs: nowMs, firstMs: Number.isFinite(firstMs) ? firstMs : 0, perMs}
    return this.#pace
  }

  #decayed(nowMs: number): number {
    return this.#uses * 0.5 ** (Math.max(0, nowMs - this.#usedAtMs) / USE_HALF_LIFE_MS)
  }

  #meanRate(): Partial<Rate> {
    const mean: {-readonly [field in keyof Rate]?: number} = {}
    for (const field of ['promptTps', 'answerTps', 'loadMs', 'serviceMs'] as const) {
      let sum = 0
      let count = 0
      for (const {own} of this.replicas) {
        const value = own?.[field]
        if (value === undefined) continue
        sum += value
        count++
      }
      if (count > 0) mean[field] = sum / count
    }
    return mean
  }
}
