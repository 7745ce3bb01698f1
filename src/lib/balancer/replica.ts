import {sameModel} from '../cluster/model-name.ts'
import type {LoadedModel, ModelTag, Reading} from '../cluster/reading.ts'
import {Breaker} from './breaker.ts'
import {type Candidate, does, type Excluded, type Residency} from './candidates.ts'
import {ContextRates} from './context-rates.ts'
import type {DispatchRequest} from './dispatch-request.ts'
import {FirstBytes} from './first-bytes.ts'
import {Hindrance} from './hindrance.ts'
import type {Job} from './job.ts'
import type {DispatchLimits} from './limits.ts'
import type {ModelState} from './model-state.ts'
import type {NodeState} from './node-state.ts'
import {PrefixIndex} from './prefix-index.ts'
import type {Rate} from './rates.ts'
import {Residence} from './residence.ts'
import {expectedLoad} from './score.ts'
import type {Session} from './sessions.ts'
import {Slots} from './slots.ts'
import {Trials} from './trials.ts'

interface Made {
  readonly at: NodeState
  readonly model: ModelState
  readonly tag: ModelTag
  readonly limits: DispatchLimits
  /** What was learned of the node before, by key. */
  readonly kept: Readonly<Record<string, Rate>>
}

/**
 * A model on a node. It is itself the candidate that is scored: the fields of `Candidate` that depend on the request
 * are set by `consider`, so that choosing among a thousand makes no thousand objects.
 */
export class Replica implements Candidate {
  readonly at: NodeState
  readonly model: ModelState
  readonly node: string
  readonly breaker = new Breaker()
  readonly hindrance = new Hindrance()
  readonly trials = new Trials()
  readonly residence: Residence
  readonly rates: ContextRates
  readonly prefixes: PrefixIndex
  readonly slotsLearned: Slots
  readonly firstBytes = new FirstBytes()
  readonly running: Job[] = []
  tag: ModelTag
  /** Worst first byte of late, as a multiple of what was expected. */
  worst = 1
  residency: Residency = 'cold'
  waitMs = 0
  loadWaitMs = 0
  harmMs = 0
  slower = 1
  batchMs = 0
  beside = 0
  besideMs = 0
  cachedTokens = 0
  onTrial = false

  constructor({at, model, tag, limits, kept}: Made) {
    this.at = at
    this.model = model
    this.node = at.name
    this.tag = tag
    this.residence = new Residence(limits)
    this.rates = new ContextRates(model.key, kept)
    this.slotsLearned = new Slots(limits.learnedSlots, kept[model.key]?.slots)
    this.prefixes = new PrefixIndex(limits.prefixBlocks)
  }

  get latencyMs(): number {
    return this.at.latencyMs
  }
  get inFlight(): number {
    return this.at.inFlight
  }
  get lastUsedMs(): number {
    return this.at.lastUsedMs
  }
  get sizeBytes(): number {
    return this.tag.sizeBytes
  }
  get gpu(): boolean | undefined {
    const {loaded} = this.residence
    return loaded && loaded.vramBytes > 0 ? loaded.vramBytes > loaded.sizeBytes / 2 : undefined
  }
  get own(): Rate | undefined {
    return this.rates.current
  }
  get others(): Partial<Rate> {
    return this.model.others
  }
  get loadBytesPerMs(): number | undefined {
    return this.own?.loadMs === undefined ? this.at.loadBytesPerMs() : undefined
  }
  get answerTokens(): number | undefined {
    return this.model.answerTokens
  }
  get weight(): number {
    return this.at.spec.weight ?? 1
  }
  get tier(): number {
    return this.at.spec.tier ?? 0
  }

  /** Bytes that it takes in memory, or would. */
  get memoryBytes(): number {
    return this.residence.loaded?.sizeBytes || this.tag.sizeBytes
  }
  /** What it would cost to load it again. */
  get reloadMs(): number {
    return expectedLoad(this)
  }

  /** Requests of this model that the node is taken to answer at once. */
  get slots(): number {
    return this.at.spec.slots ?? this.slotsLearned.count
  }

  /** Requests that it may have now. */
  credit(): number {
    if (!this.breaker.closed || !this.at.breaker.closed) return 1
    return Math.min(this.slots, this.hindrance.ramp)
  }

  /** Why it cannot take the request now; undefined: it can. */
  blocked(job: Job, nowMs: number): Excluded['reason'] | undefined {
    const {at} = this
    const {only, among} = job.request
    if (only === undefined ? at.spec.drained : only !== this.node)
      return only === undefined ? 'drained' : 'other'
    if (among && !among.includes(this.node)) return 'other'
    if (!at.reading) return 'silent'
    if (at.down || at.gone) return 'down'
    if (this.hindrance.missing) return 'no-model'
    if (!this.#able(job)) return 'unable'
    if (job.tried.some(({node}) => node === this.node)) return 'tried'
    if (!this.breaker.allows(nowMs) || !at.breaker.allows(nowMs)) return 'broken'
    return this.hindrance.now(nowMs)
  }

  /** Where `blocked` is a matter of time: how long. */
  blockedForMs(nowMs: number): number {
    // A probe that is on its way may come back at any moment.
    const own = this.breaker.opensInMs(nowMs) ?? 0
    const node = this.at.breaker.opensInMs(nowMs) ?? 0
    return Math.max(own, node, this.hindrance.leftMs(nowMs))
  }

  /** Sets what depends on the request; `session`: where its conversation was answered last. */
  consider(request: DispatchRequest, nowMs: number, session?: Session): void {
    const residency = this.residence.for(request)
    this.residency = residency
    this.onTrial = this.trials.due(nowMs)
    this.waitMs = this.#slotWaitMs(nowMs)
    this.loadWaitMs =
      residency === 'loaded'
        ? 0
        : residency === 'loading'
          ? this.residence.loadLeftMs(nowMs)
          : this.at.loaderWaitMs(nowMs)
    this.harmMs = residency === 'cold' ? this.at.memory.harmMs(this, nowMs) : 0
    this.#crowd(nowMs)
    this.cachedTokens = residency === 'loaded' ? this.#cachedTokens(request, session) : 0
  }

  /** How much the load counts that `consider` has found, see `Memory`. */
  loadWeight(nowMs: number): number {
    return this.residency === 'cold' ? this.at.memory.loadWeight(this, nowMs) : 1
  }

  /** True: it has fewer requests than it may have. */
  hasRoom(): boolean {
    return this.running.length < this.credit()
  }

  /** True: what `consider` was told of could be sent now and would not wait at the node. */
  free(nowMs: number): boolean {
    if (!this.hasRoom()) return false
    if (this.residency === 'loaded') return true
    if (this.residency === 'loading') return this.residence.loadOver(nowMs)
    if (this.residency === 'reload' && this.running.length > 0) return false
    return this.at.loading.length === 0
  }

  /** When each of its slots will be free, in ms from now, the soonest first. */
  slotTimes(nowMs: number): number[] {
    const times = this.running.map((job) => job.remainingMs(nowMs)).sort((a, b) => a - b)
    const credit = this.credit()
    if (times.length > credit) return times.slice(times.length - credit)
    return times.length < credit ? [...new Array(credit - times.length).fill(0), ...times] : times
  }

  /** Time until the first slot is free for any request that reloads nothing. */
  freeInMs(nowMs: number): number {
    return this.hasRoom() ? 0 : (this.slotTimes(nowMs)[0] ?? 0)
  }

  /** How many times as long as alone everything takes there now. */
  crowding(): number {
    const {crowding} = this.slotsLearned
    return 1 + crowding * Math.max(0, this.running.length - 1) + this.at.besideOf(this)
  }

  /** Takes over what a reading says, unless we know better since. */
  read(reading: Reading & {kind: 'up'}, tag: ModelTag, nowMs: number): void {
    if (tag.digest !== this.tag.digest) {
      this.hindrance.unban()
      this.prefixes.clear()
    }
    this.tag = tag
    this.hindrance.listed(reading.atMs - (reading.modelsAgeMs ?? 0))
    const seen = reading.loaded.find((one) => isOf(one, tag))
    if (seen) this.hindrance.loaded(reading.atMs)
    if (this.residence.read(seen, reading.atMs, nowMs)) this.#forget()
    this.rates.switchTo(this.residence.loaded?.contextLength)
    this.#noteLoad()
  }

  /** A request of ours makes the node load it. */
  startLoad(loadMs: number, numCtx: number | undefined, nowMs: number): void {
    this.residence.start(loadMs, numCtx, nowMs)
    this.#forget()
    this.#noteLoad()
  }

  /** An answer has begun, so it is in memory. */
  answered(nowMs: number): void {
    this.residence.answered(this.tag, nowMs)
    this.#noteLoad()
  }

  /** It is not in memory any more, or has not come into it. */
  unloaded(nowMs: number): void {
    this.residence.gone(nowMs)
    this.#forget()
    this.#noteLoad()
  }

  /** What holds only as long as the model stays in memory. */
  #forget(): void {
    this.prefixes.clear()
    this.slotsLearned.reloaded()
  }

  #able({needs}: Job): boolean {
    const {sizeBytes} = this.tag
    if (needs && !does(this.tag, needs)) return false
    const {memoryBytes} = this.at.spec
    return memoryBytes === undefined || sizeBytes <= memoryBytes || !!this.residence.loaded
  }

  #cachedTokens({prefix, blockTokens}: DispatchRequest, session: Session | undefined): number {
    const matched = prefix.length > 0 ? this.prefixes.match(prefix) * blockTokens : 0
    // A door that sends no hashes says at least which requests belong together.
    const same =
      prefix.length === 0 && session?.replica === this && this.prefixes.epoch === session.epoch
    return same ? session.promptTokens : matched
  }

  #slotWaitMs(nowMs: number): number {
    const {running} = this
    if (this.residency === 'reload') {
      let lastMs = 0
      for (const job of running) lastMs = Math.max(lastMs, job.remainingMs(nowMs))
      return lastMs
    }
    const over = running.length - this.credit()
    if (over < 0) return 0
    if (over > 0) return this.slotTimes(nowMs)[0] ?? 0
    let firstMs = Number.POSITIVE_INFINITY
    for (const job of running) firstMs = Math.min(firstMs, job.remainingMs(nowMs))
    return firstMs
  }

  #crowd(nowMs: number): void {
    const {running, at} = this
    this.slower = 1
    this.batchMs = 0
    this.beside = 0
    this.besideMs = 0
    if (at.inFlight === 0) return
    // Those that wait for a slot of it run when ours does not.
    const batch = Math.min(running.length, this.credit() - 1)
    const {crowding} = this.slotsLearned
    if (batch > 0 && crowding > 0) {
      this.slower = 1 + crowding * batch
      this.batchMs = meanLeftMs(running, nowMs)
    }
    this.beside = at.besideOf(this)
    if (this.beside > 0) this.besideMs = at.besideMs(this, nowMs)
  }

  #noteLoad(): void {
    const {loading} = this.at
    const at = loading.indexOf(this)
    if (this.residence.loading && at < 0) loading.push(this)
    if (!this.residence.loading && at >= 0) loading.splice(at, 1)
  }
}

/** Of more requests every so-manyth is looked at: this is asked of each replica for each request. */
const SAMPLED = 32

/** Mean of what they still need; of one at least. */
function meanLeftMs(running: readonly Job[], nowMs: number): number {
  const step = Math.ceil(running.length / SAMPLED)
  let sumMs = 0
  let count = 0
  for (let at = 0; at < running.length; at += step) {
    sumMs += running[at]?.remainingMs(nowMs) ?? 0
    count++
  }
  return sumMs / count
}

function isOf(loaded: LoadedModel, tag: ModelTag): boolean {
  return (tag.digest !== '' && loaded.digest === tag.digest) || sameModel(loaded.name, tag.name)
}
