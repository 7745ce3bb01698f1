import {IdTable} from '../cluster/id-table.ts'
import type {Reading} from '../cluster/reading.ts'
import type {RecordedNode} from '../cluster/recording.ts'
import {beginAttempt} from './begin-attempt.ts'
import {blame, forget} from './blame.ts'
import type {
  BalancedNode,
  Decision,
  DispatcherOptions,
  DispatchRequest,
  DispatchSink,
  Outcome,
  Refusal,
  SendOrder,
} from './dispatch-request.ts'
import {explainExcluded} from './excluded.ts'
import {Fleet} from './fleet.ts'
import type {FleetPulse, FleetView} from './fleet-view.ts'
import {chooseHedge, hedgeAfterMs, noteHedged} from './hedge.ts'
import {type Attempt, Job} from './job.ts'
import {learnFrom} from './learn-from.ts'
import {DEFAULT_LIMITS, type DispatchLimits} from './limits.ts'
import {Lobby} from './lobby.ts'
import type {ModelState} from './model-state.ts'
import {choose, isBoundToBusy, type Pick, release} from './pick.ts'
import {Plan} from './plan.ts'
import type {PolicyName} from './policies.ts'
import type {Rates} from './rates.ts'
import {recordFleet} from './record-fleet.ts'
import {busy, mayTake, nobody, unknown} from './refusal.ts'
import type {Replica} from './replica.ts'
import {RetryBudget} from './retry-budget.ts'
import {Sessions, stickTo} from './sessions.ts'
import {emptyTable, noLots, tableOf} from './table.ts'
import {judge} from './verdict.ts'
import {pulseOf, viewOf} from './view-of.ts'

/** While requests wait, what only time changes is looked at so often. */
const TICK_MS = 100
/** Estimates that one look over a queue may make; a queue is looked at as far as that allows. */
const LOOKS = 4000

/**
 * Decides which node answers which request, and when. Pure: all times are passed in, in ms since the epoch by a clock
 * that never jumps (one started at the wall's time); the readings' `atMs` have to be of that clock, too. Every
 * submitted request ends in exactly one of: `settle` with `ok` or `cancelled`, `cancel`, or the sink's `refuse`. A `settle` with `failed` makes the sink `send` it elsewhere,
 * queue it or `refuse` it; with `begun` it always refuses.
 */
export class Dispatcher {
  readonly #sink: DispatchSink
  readonly #random: () => number
  readonly #limits: DispatchLimits
  readonly #fleet: Fleet
  readonly #budget: RetryBudget
  readonly #sessions: Sessions
  readonly #jobs = new IdTable<Job>()
  readonly #lobby: Lobby
  /** Failed, and waiting for the budget to allow another try. */
  readonly #delayed = new Set<Job>()
  #policy: PolicyName
  #hedging = false
  #plans: ((request: DispatchRequest, plan: Decision) => void) | undefined
  #turn = 0

  constructor(options: DispatcherOptions) {
    this.#sink = options.sink
    this.#lobby = new Lobby(options.sink)
    this.#random = options.random
    this.#policy = options.policy ?? 'expected-time'
    this.#limits = {...DEFAULT_LIMITS, ...options.limits}
    this.#fleet = new Fleet(this.#limits, options.rates ?? {})
    this.#budget = new RetryBudget(this.#limits)
    this.#sessions = new Sessions(this.#limits.sessions)
  }

  /** The nodes that there are from now on. What runs on one that is no longer there goes on. */
  setNodes(nodes: readonly BalancedNode[], nowMs: number): void {
    this.#fleet.setNodes(nodes)
    this.#advance(nowMs)
  }

  /** For those that come from now on, and for those that wait. */
  setPolicy(policy: PolicyName): void {
    this.#policy = policy
    for (const {queue} of this.#lobby.models) for (const {item} of queue.waiting) release(item)
  }

  /** Whether orders say from now on when to ask for a hedge. Off at first. */
  setHedging(on: boolean): void {
    this.#hedging = on
  }

  /** A reading of a node, however old; what we have done since counts more. */
  observe(reading: Reading, nowMs: number): void {
    if (this.#fleet.observe(reading, nowMs)) this.#advance(nowMs)
  }

  /** A new request. Before this returns, the sink is told one of `send`, `queued` and `refuse`. */
  submit(request: DispatchRequest, nowMs: number): void {
    this.#budget.request(nowMs)
    const model = this.#fleet.model(request.model)
    if (!model) {
      const {why, excluded} = unknown(request, this.#fleet.nodes)
      this.#sink.refuse(request.id, why, excluded)
      return
    }
    const job = new Job(request, model, nowMs)
    this.#jobs.set(request.id, job)
    this.#place(job, nowMs)
  }

  /** The head of a good answer has arrived: the prompt is evaluated and the model in memory. */
  began(id: number, nowMs: number): void {
    const job = this.#jobs.get(id)
    const attempt = job?.attempt
    if (!job || !attempt || attempt.begunMs !== undefined) return
    attempt.begunMs = nowMs
    const {replica} = attempt
    const {loading} = replica.residence
    replica.answered(nowMs)
    replica.at.alive(nowMs)
    replica.prefixes.add(job.request.prefix)
    if (loading) this.#advanceNode(replica, nowMs)
  }

  /**
   * Such a request has been sent and says nothing: asks for a second attempt beside it, under an id of its own. Undefined:
   * not now. Whichever attempt begins first, the other one is to be cancelled; one that fails while the other is at it is
   * settled as `begun`.
   */
  hedge(id: number, hedgeId: number, nowMs: number): SendOrder | undefined {
    const job = this.#jobs.get(id)
    if (!job || !this.#hedging) return undefined
    const replica = chooseHedge(job, {nowMs, session: this.#sessions.of(job.request)})
    if (!replica || !this.#budget.takeHedge(nowMs)) return undefined
    const second = job.hedge(hedgeId, nowMs)
    this.#jobs.set(hedgeId, second)
    return this.#order(second, replica, nowMs)
  }

  /** An attempt has ended. */
  settle(id: number, outcome: Outcome, nowMs: number): void {
    const job = this.#jobs.get(id)
    const attempt = job?.attempt
    if (!job || !attempt) return
    const {replica} = attempt
    const crowd = {
      crowding: (attempt.crowding + replica.crowding()) / 2,
      beside: Math.min(attempt.beside, replica.at.besideOf(replica)),
    }
    this.#vacate(job, attempt)
    if (outcome.kind === 'failed') this.#failed(job, attempt, outcome, nowMs)
    else {
      this.#jobs.delete(id)
      if (outcome.kind === 'cancelled') {
        forget(attempt, nowMs)
        noteHedged(job, attempt, nowMs)
      } else {
        const own = replica.breaker.succeed(attempt.tickets.replica)
        const node = replica.at.breaker.succeed(attempt.tickets.node)
        if (own || node) replica.hindrance.recovered()
        learnFrom({job, attempt, crowd}, outcome.stats, nowMs)
        this.#sessions.remember(job.request, replica)
      }
    }
    this.#advanceNode(replica, nowMs)
  }

  /** The client has left, whether its request waits or runs. */
  cancel(id: number, nowMs: number): void {
    const job = this.#jobs.get(id)
    if (!job) return
    this.#jobs.delete(id)
    const {attempt} = job
    if (attempt) {
      this.#vacate(job, attempt)
      forget(attempt, nowMs)
      this.#advanceNode(attempt.replica, nowMs)
      return
    }
    this.#delayed.delete(job)
    this.#lobby.leave(job)
  }

  /** To be called when `nextTickMs` has come: deadlines, ageing, breakers that open again. */
  tick(nowMs: number): void {
    for (const job of this.#delayed) this.#retryDelayed(job, nowMs)
    for (const {queue} of this.#lobby.models) {
      queue.age(nowMs, this.#limits.ageingMs, (job) => job.request.priority)
      for (const {item: job} of [...queue.waiting]) this.#expire(job, nowMs)
    }
    this.#advance(nowMs)
    this.#lobby.tellPlaces(nowMs)
  }

  /** When `tick` is to be called next; undefined: not before something else has happened. */
  nextTickMs(nowMs: number): number | undefined {
    const idle = this.#lobby.empty && this.#delayed.size === 0
    return idle ? undefined : nowMs + TICK_MS
  }

  /** The whole table for such a request; decides nothing. */
  explain(request: DispatchRequest, nowMs: number): Decision {
    const model = this.#fleet.model(request.model)
    if (model) return this.#table(new Job(request, model, nowMs), nowMs)
    return emptyTable(request, this.#fleet.nodes, request.policy ?? this.#policy)
  }

  /** Hands over the table behind each order from now on, as it is before the order counts; undefined: no longer. */
  watch(plans: ((request: DispatchRequest, plan: Decision) => void) | undefined): void {
    this.#plans = plans
  }

  /** How things stand in short, for whoever looks every second. */
  pulse(nowMs: number): FleetPulse {
    return pulseOf(this.#fleet, this.#lobby.size + this.#delayed.size, nowMs)
  }

  /** Requests that a node has in hand. */
  inFlight(node: string): number {
    return this.#fleet.nodes.get(node)?.inFlight ?? 0
  }

  /** How things stand, for metrics and `top`. */
  view(nowMs: number): FleetView {
    const delayed = this.#delayed.size
    return viewOf(this.#fleet, {...this.#budget.counts(nowMs), delayed}, nowMs)
  }

  /** The policy in force and the nodes as they have shown themselves, for a replay. */
  record(): {readonly policy: PolicyName; readonly nodes: readonly RecordedNode[]} {
    return {policy: this.#policy, nodes: recordFleet(this.#fleet.nodes.values())}
  }

  /** What was learned, to be kept and given to the next one. */
  rates(): Rates {
    return this.#fleet.rates()
  }

  /** Takes over what was learned elsewhere, as `rates()` returned it there, where it is newer. */
  readonly adopt = (rates: Rates): void => this.#fleet.adopt(rates)

  /** Sends it, queues it or refuses it. */
  #place(job: Job, nowMs: number): void {
    const {queue} = job.model
    if (queue.length === 0) {
      const pick = this.#choose(job, nowMs)
      if (pick.kind === 'send') {
        this.#send(job, pick.replica, nowMs)
        return
      }
      if (pick.kind === 'none' && !this.#soon(job, nowMs)) {
        this.#refuse(job, nobody(job, this.#fleet.nodes, nowMs), nowMs)
        return
      }
    }
    const dropped = this.#lobby.enter(job, nowMs)
    if (dropped) this.#refuseBusy(dropped, nowMs)
    if (queue.length > 1) this.#bind(job.model, nowMs)
    if (job.attempt || !this.#jobs.has(job.request.id)) return
    this.#lobby.welcome(job, nowMs)
  }

  #choose(job: Job, nowMs: number, plan?: Plan): Pick {
    const policy = job.request.policy ?? this.#policy
    return choose(job, policy, {...this.#chances(job, nowMs), plan})
  }

  #chances({request}: Job, nowMs: number) {
    const session = this.#sessions.of(request)
    return {nowMs, session, random: this.#random, stickTo: stickTo(request)}
  }

  /** Gives those that wait for a model what is free and worth it, in their order. */
  #bind(model: ModelState, nowMs: number): void {
    const {queue, replicas} = model
    const plan = new Plan()
    const hasRoom = () => replicas.length === 0 || replicas.some((one) => one.hasRoom())
    let looks = Math.max(2, Math.floor(LOOKS / Math.max(1, replicas.length)))
    let room = hasRoom()
    for (let at = 0; room && looks > 0 && at < queue.length; ) {
      const job = queue.waiting[at]?.item
      if (!job) break
      if (isBoundToBusy(job, nowMs)) {
        at++
        continue
      }
      looks--
      const pick = this.#choose(job, nowMs, plan)
      if (pick.kind === 'send') {
        queue.take(at)
        this.#send(job, pick.replica, nowMs)
        room = hasRoom()
      } else if (pick.kind === 'none' && !this.#soon(job, nowMs)) {
        this.#lobby.leave(job)
        this.#refuse(job, nobody(job, this.#fleet.nodes, nowMs), nowMs)
      } else {
        if (pick.kind === 'wait' && pick.on) plan.take(pick.on, pick.onMs, nowMs)
        at++
      }
    }
    this.#lobby.settle(model)
  }

  /** The replica was just considered for it. */
  #send(job: Job, replica: Replica, nowMs: number): void {
    release(job)
    this.#plans?.(job.request, this.#table(job, nowMs, noLots))
    // To see the table the replicas had to be considered anew, this one perhaps by other terms than its own.
    if (this.#plans) replica.consider(job.request, nowMs, this.#sessions.of(job.request))
    this.#sink.send(job.request.id, this.#order(job, replica, nowMs))
  }

  #table(job: Job, nowMs: number, random = this.#random): Decision {
    const policy = job.request.policy ?? this.#policy
    return tableOf(job, this.#fleet.nodes, {policy, ...this.#chances(job, nowMs), random})
  }

  #order(job: Job, replica: Replica, nowMs: number): SendOrder {
    const {attempt, patience, numCtx, reason} = beginAttempt(job, replica, nowMs)
    job.attempt = attempt
    // Later than all before, so that turns of the same moment can be told apart.
    this.#turn = Math.max(nowMs, this.#turn + 0.001)
    replica.at.lastUsedMs = this.#turn
    const policy = job.request.policy ?? this.#policy
    const decision = {policy, reason, ranked: [], excluded: []}
    const to = {node: replica.node, attempt: job.tried.length + 1, decision, patience}
    const order = numCtx === undefined ? to : {...to, numCtx}
    const afterMs = this.#hedging ? hedgeAfterMs(job, attempt) : undefined
    return afterMs === undefined ? order : {...order, hedgeAfterMs: afterMs}
  }

  /** Its attempt is over: the slot is free. */
  #vacate(job: Job, {replica}: Attempt): void {
    const {running, at} = replica
    running.splice(running.indexOf(job), 1)
    at.inFlight--
    job.attempt = undefined
  }

  #failed(
    job: Job,
    attempt: Attempt,
    {failure, begun}: Outcome & {readonly kind: 'failed'},
    nowMs: number,
  ): void {
    const {replica} = attempt
    const verdict = judge(failure)
    blame(attempt, {failure, verdict, begun}, nowMs)
    job.failed = {failure, verdict, node: replica.node}
    job.tried.push(replica)
    job.hedgeOf?.tried.push(replica)
    job.sinceMs = nowMs
    const final = begun || verdict === 'caller' || job.tried.length >= this.#limits.attempts
    if (final) this.#refuse(job, {kind: 'failed', ...job.failed}, nowMs)
    else if (!this.#soon(job, nowMs))
      this.#refuse(job, nobody(job, this.#fleet.nodes, nowMs), nowMs)
    else if (this.#budget.take(nowMs)) this.#place(job, nowMs)
    else this.#delayed.add(job)
  }

  /** True: somebody can take it now or soon. */
  #soon(job: Job, nowMs: number): boolean {
    const at = {nowMs, withinMs: this.#limits.nodeWaitMs}
    return job.model.replicas.some((one) => mayTake(one, job, at))
  }

  #expire(job: Job, nowMs: number): void {
    const late = nowMs - job.submittedMs > this.#limits.queueMaxMs
    if (!late && this.#soon(job, nowMs)) return
    this.#lobby.leave(job)
    if (late) this.#refuseBusy(job, nowMs)
    else this.#refuse(job, nobody(job, this.#fleet.nodes, nowMs), nowMs)
  }

  #retryDelayed(job: Job, nowMs: number): void {
    const late = nowMs - job.submittedMs > this.#limits.queueMaxMs
    const hope = !late && this.#soon(job, nowMs)
    if (hope && !this.#budget.take(nowMs)) return
    this.#delayed.delete(job)
    if (hope) this.#place(job, nowMs)
    else this.#refuse(job, nobody(job, this.#fleet.nodes, nowMs), nowMs)
  }

  #advance(nowMs: number): void {
    for (const model of this.#lobby.models) this.#bind(model, nowMs)
  }

  /** Something became free on that node: for any of its models. */
  #advanceNode({at}: Replica, nowMs: number): void {
    for (const model of this.#lobby.modelsOn(at)) this.#bind(model, nowMs)
  }

  #refuseBusy(job: Job, nowMs: number): void {
    this.#refuse(job, busy(job.model.queueMs(job.model.queue.length, nowMs)), nowMs)
  }

  #refuse(job: Job, why: Refusal, nowMs: number): void {
    release(job)
    this.#jobs.delete(job.request.id)
    this.#sink.refuse(job.request.id, why, explainExcluded(job, this.#fleet.nodes, nowMs))
  }
}
