import {sameModel} from '../cluster/model-name.ts'
import type {LoadedModel, ModelTag, Reading} from '../cluster/reading.ts'
import {Breaker} from './breaker.ts'
import {type Candidate, does, type Excluded, type Residency} from './candidates.ts'
import type {DispatchRequest} from './dispatch-request.ts'
import type {Job} from './job.ts'
import type {DispatchLimits} from './limits.ts'
import type {ModelState} from './model-state.ts'
import type {NodeState} from './node-state.ts'
import {PrefixIndex} from './prefix-index.ts'
import type {Rate} from './rates.ts'
import {Slots} from './slots.ts'

/** A load that takes longer than expected is expected to take this much of its time so far once more. */
const OVERDUE_SHARE = 0.25
const FIRST_BUSY_MS = 250
const LONGEST_BUSY_MS = 5000
const FIRST_BAN_MS = 30_000
const LONGEST_BAN_MS = 1_800_000

/**
 * A model on a node. It is itself the candidate that is scored: the fields of `Candidate` that depend on the request
 * are set by `consider`, so that choosing among a thousand makes no thousand objects.
 */
export class Replica implements Candidate {
  readonly at: NodeState
  readonly model: ModelState
  readonly node: string
  readonly breaker = new Breaker()
  readonly prefixes: PrefixIndex
  readonly running: Job[] = []
  tag: ModelTag
  rate: Rate | undefined
  /** Waiting, but chosen for this replica. */
  boundCount = 0
  /** Worst first byte of late, as a multiple of what was expected. */
  worst = 1
  residency: Residency = 'cold'
  waitMs = 0
  loadWaitMs = 0
  harmMs = 0
  cachedTokens = 0
  readonly #limits: DispatchLimits
  readonly #slots: Slots
  #loaded: Omit<LoadedModel, 'expiresAt'> | undefined
  /** When we last knew better than a reading. */
  #changedMs = Number.NEGATIVE_INFINITY
  #load: {readonly sinceMs: number; readonly untilMs: number; readonly numCtx?: number} | undefined
  /** The context that it is loaded with when nobody asks for one. */
  #defaultCtx: number | undefined
  #missingMs: number | undefined
  #busyUntilMs = 0
  #busyTimes = 0
  #bannedUntilMs = 0
  #bans = 0
  /** After a recovery it gets one request at a time, then two, then four... */
  #ramp = Number.POSITIVE_INFINITY

  constructor(at: NodeState, model: ModelState, tag: ModelTag, limits: DispatchLimits) {
    this.at = at
    this.model = model
    this.node = at.name
    this.tag = tag
    this.#limits = limits
    this.#slots = new Slots(limits.learnedSlots)
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
    return this.#loaded && this.#loaded.sizeBytes > 0
      ? this.#loaded.vramBytes > this.#loaded.sizeBytes / 2
      : undefined
  }
  get own(): Rate | undefined {
    return this.rate
  }
  get others(): Partial<Rate> {
    return this.model.others
  }
  get loadBytesPerMs(): number | undefined {
    return this.rate?.loadMs === undefined ? this.at.loadBytesPerMs() : undefined
  }
  get weight(): number {
    return this.at.spec.weight ?? 1
  }
  get tier(): number {
    return this.at.spec.tier ?? 0
  }

  /** Requests of this model that the node is taken to answer at once. */
  get slots(): number {
    return this.at.spec.slots ?? this.#slots.count
  }

  /** Requests that it may have now. */
  credit(nowMs: number): number {
    if (this.breaker.state(nowMs) !== 'closed' || this.at.breaker.state(nowMs) !== 'closed')
      return 1
    return Math.min(this.slots, this.#ramp)
  }

  /** Why it cannot take the request now; undefined: it can. */
  blocked(job: Job, nowMs: number): Excluded['reason'] | undefined {
    const {at} = this
    const {only, among} = job.request
    if (only !== undefined ? only !== this.node : at.spec.drained)
      return only === undefined ? 'drained' : 'other'
    if (among && !among.includes(this.node)) return 'other'
    if (!at.reading) return 'silent'
    if (at.down || at.gone) return 'down'
    if (this.#missingMs !== undefined) return 'no-model'
    if (job.needs && !does(this.tag, job.needs)) return 'unable'
    if (job.tried.includes(this)) return 'tried'
    if (!this.breaker.allows(nowMs) || !at.breaker.allows(nowMs)) return 'broken'
    if (nowMs < this.#bannedUntilMs) return 'banned'
    if (nowMs < this.#busyUntilMs) return 'busy'
    return undefined
  }

  /** Where `blocked` is a matter of time: how long; undefined where it is not, or nobody knows. */
  blockedForMs(nowMs: number): number | undefined {
    const own = this.breaker.opensInMs(nowMs)
    const node = this.at.breaker.opensInMs(nowMs)
    // A probe is on its way.
    if (own === undefined || node === undefined) return 0
    return Math.max(own, node, this.#bannedUntilMs - nowMs, this.#busyUntilMs - nowMs, 0)
  }

  /** Sets what depends on the request. */
  consider(request: DispatchRequest, nowMs: number): void {
    this.residency = this.#residencyFor(request)
    this.waitMs = this.slotWaitMs(nowMs)
    this.loadWaitMs = this.#loadWaitMs(nowMs)
    this.cachedTokens =
      this.residency === 'loaded' && request.prefix.length > 0
        ? this.prefixes.match(request.prefix) * request.blockTokens
        : 0
  }

  /** True: what `consider` was told of could be sent now and would not wait at the node. */
  free(nowMs: number): boolean {
    if (this.running.length >= this.credit(nowMs)) return false
    if (this.residency === 'loaded') return true
    if (this.residency === 'loading') return this.#load !== undefined && nowMs >= this.#load.untilMs
    if (this.residency === 'reload' && this.running.length > 0) return false
    return this.at.loading.length === 0
  }

  /** Time until it has a free slot. */
  slotWaitMs(nowMs: number): number {
    const {running} = this
    if (this.residency === 'reload') {
      let lastMs = 0
      for (const job of running) lastMs = Math.max(lastMs, job.remainingMs(nowMs))
      return lastMs
    }
    const over = running.length - this.credit(nowMs)
    if (over < 0) return 0
    if (over === 0) {
      let firstMs = Number.POSITIVE_INFINITY
      for (const job of running) firstMs = Math.min(firstMs, job.remainingMs(nowMs))
      return firstMs
    }
    const left = running.map((job) => job.remainingMs(nowMs)).sort((a, b) => a - b)
    return left[over] ?? 0
  }

  /** What is left of the load that is under way, ms. */
  loadLeftMs(nowMs: number): number {
    if (!this.#load) return 0
    const {sinceMs, untilMs} = this.#load
    return Math.max(untilMs - nowMs, OVERDUE_SHARE * Math.max(0, nowMs - sinceMs), 0)
  }

  /** The context that a request must carry so that it reloads nothing; undefined: none of ours. */
  numCtxFor({numCtx, canSetNumCtx}: DispatchRequest): number | undefined {
    if (!canSetNumCtx) return undefined
    const known = this.#load ? this.#load.numCtx : this.#loaded?.contextLength
    if (known === undefined || this.residency === 'cold') return numCtx
    if (numCtx === undefined) return known
    return this.#limits.numCtx === 'loaded' && numCtx <= known ? known : numCtx
  }

  /** Takes over what a reading says, unless we know better since. */
  read(reading: Reading & {kind: 'up'}, tag: ModelTag, nowMs: number): void {
    if (tag.digest !== this.tag.digest) this.#bannedUntilMs = 0
    this.tag = tag
    if (this.#missingMs !== undefined && reading.atMs > this.#missingMs) this.#missingMs = undefined
    if (reading.atMs < this.#changedMs) return
    const seen = reading.loaded.find((one) => isOf(one, tag))
    if (seen) this.#seenLoaded(seen, nowMs)
    else if (this.#loaded) this.unloaded(nowMs)
  }

  #seenLoaded(seen: LoadedModel, nowMs: number): void {
    const before = this.#loaded?.contextLength
    const other = before !== undefined && before !== seen.contextLength
    if (other) this.prefixes.clear()
    // A loading model is not in /api/ps; while it is being loaded anew, the old one still is.
    if (this.#load && this.#loaded && !other) return
    if (this.#load && this.#load.numCtx === undefined) this.#defaultCtx = seen.contextLength
    this.#loaded = seen
    this.#bannedUntilMs = 0
    this.#endLoad()
    this.#changedMs = nowMs
  }

  /** A request of ours makes the node load it. */
  startLoad(loadMs: number, numCtx: number | undefined, nowMs: number): void {
    this.#load = {
      sinceMs: nowMs,
      untilMs: nowMs + loadMs,
      ...(numCtx === undefined ? {} : {numCtx}),
    }
    if (!this.at.loading.includes(this)) this.at.loading.push(this)
    this.prefixes.clear()
    this.#changedMs = nowMs
  }

  /** An answer has begun, so it is in memory. */
  answered(nowMs: number): void {
    if (!this.#load && this.#loaded) return
    const {sizeBytes} = this.tag
    const known = {...this.#loaded}
    if (this.#load) delete known.contextLength
    this.#loaded = {
      name: this.tag.name,
      digest: this.tag.digest,
      sizeBytes: known.sizeBytes ?? sizeBytes,
      vramBytes: known.vramBytes ?? 0,
      ...(this.#load?.numCtx === undefined ? {} : {contextLength: this.#load.numCtx}),
    }
    this.#endLoad()
    this.#changedMs = nowMs
  }

  /** It is not in memory any more, or has not come into it. */
  unloaded(nowMs: number): void {
    this.#loaded = undefined
    this.prefixes.clear()
    this.#endLoad()
    this.#changedMs = nowMs
  }

  get loaded(): boolean {
    return this.#loaded !== undefined
  }

  get loading(): boolean {
    return this.#load !== undefined
  }

  get contextLength(): number | undefined {
    return this.#loaded?.contextLength
  }

  /** The catalogue was stale: it does not have the model, until a later reading says otherwise. */
  missed(nowMs: number): void {
    this.#missingMs = nowMs
    this.unloaded(nowMs)
  }

  /** It has enough to do. */
  tooBusy(nowMs: number): void {
    this.#busyUntilMs = nowMs + Math.min(LONGEST_BUSY_MS, FIRST_BUSY_MS * 2 ** this.#busyTimes)
    this.#busyTimes = Math.min(this.#busyTimes + 1, 10)
  }

  /** It could not load the model; that seldom passes soon. */
  ban(nowMs: number): void {
    this.#bannedUntilMs = nowMs + Math.min(LONGEST_BAN_MS, FIRST_BAN_MS * 2 ** this.#bans)
    this.#bans = Math.min(this.#bans + 1, 20)
    this.unloaded(nowMs)
  }

  get missing(): boolean {
    return this.#missingMs !== undefined
  }

  get bannedUntilMs(): number {
    return this.#bannedUntilMs
  }

  /** A request went well. */
  succeeded(): void {
    this.#busyTimes = 0
    this.#bans = 0
    if (this.#ramp >= this.slots) this.#ramp = Number.POSITIVE_INFINITY
    else this.#ramp *= 2
  }

  /** Its breaker, or its node's, has closed. */
  recovered(): void {
    this.#ramp = 1
  }

  /** Learns how many it answers at once. */
  learnSlots(run: Parameters<Slots['learn']>[0], nowMs: number): void {
    if (this.at.spec.slots === undefined) this.#slots.learn(run, nowMs)
  }

  #endLoad(): void {
    this.#load = undefined
    const at = this.at.loading.indexOf(this)
    if (at >= 0) this.at.loading.splice(at, 1)
  }

  #loadWaitMs(nowMs: number): number {
    if (this.residency === 'loading') return this.loadLeftMs(nowMs)
    return this.residency === 'loaded' ? 0 : this.at.loaderWaitMs(nowMs)
  }

  #residencyFor({numCtx, canSetNumCtx}: DispatchRequest): Residency {
    if (!this.#load && !this.#loaded) return 'cold'
    const has = this.#load ? this.#load.numCtx : this.#loaded?.contextLength
    const there = this.#load ? 'loading' : 'loaded'
    const wants = numCtx ?? (canSetNumCtx ? undefined : this.#defaultCtx)
    if (has === undefined || wants === undefined || wants === has) return there
    const raised = canSetNumCtx && this.#limits.numCtx === 'loaded' && wants < has
    return raised ? there : 'reload'
  }
}

function isOf(loaded: LoadedModel, tag: ModelTag): boolean {
  return (tag.digest !== '' && loaded.digest === tag.digest) || sameModel(loaded.name, tag.name)
}
