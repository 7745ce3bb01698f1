import type {Reading} from '../cluster/reading.ts'
import type {Excluded} from './candidates.ts'
import type {
  BalancedNode,
  Decision,
  DispatchRequest,
  DispatchSink,
  Outcome,
  Refusal,
} from './dispatch-request.ts'
import {explainExcluded} from './excluded.ts'
import {Fleet} from './fleet.ts'
import type {FleetView} from './fleet-view.ts'
import {Job} from './job.ts'
import {learnFrom} from './learn-from.ts'
import {DEFAULT_LIMITS, type DispatchLimits} from './limits.ts'
import type {ModelState} from './model-state.ts'
import {patienceFor} from './patience.ts'
import {choose, type Pick} from './pick.ts'
import {Plan} from './plan.ts'
import {type PolicyName, rank} from './policies.ts'
import {learnFailure, type Rates} from './rates.ts'
import type {Replica} from './replica.ts'
import {RetryBudget} from './retry-budget.ts'
import {expectedTime} from './score.ts'
import {type Failure, isLoadError, judge, type Verdict} from './verdict.ts'
import {viewOf} from './view-of.ts'

const LEAST_RETRY_AFTER_MS = 1000
const LONGEST_RETRY_AFTER_MS = 60_000
/** While requests wait, what only time changes is looked at so often. */
const TICK_MS = 100
/** Doors are told new places in the queue so often. */
const TELL_MS = 500
/** Of a queue so many are looked at in one go, times the replicas. */
const LOOKS = 4000

export interface DispatcherOptions {
  readonly sink: DispatchSink
  /** 0 <= x < 1; the only source of chance. */
  readonly random: () => number
  readonly policy?: PolicyName
  readonly limits?: Partial<DispatchLimits>
  /** What was learned before, as `rates()` returned it. */
  readonly rates?: Rates
}

/**
 * Decides which node answers which request, and when. Pure: all times are passed in, in ms, of one clock that never
 * goes back and that the readings' `atMs` are of, too. Every submitted request ends in exactly one of: `settle` with
 * `ok` or `cancelled`, `cancel`, or the sink's `refuse`. A `settle` with `failed` makes the sink `send` it elsewhere,
 * `queue` or `refuse` it; with `begun` it always refuses.
 */
export class Dispatcher {
  readonly #sink: DispatchSink
  readonly #random: () => number
  readonly #limits: DispatchLimits
  readonly #fleet: Fleet
  readonly #budget: RetryBudget
  readonly #jobs = new Map<number, Job>()
  readonly #waiting = new Set<ModelState>()
  /** Failed, and waiting for the budget to allow another try. */
  readonly #delayed = new Set<Job>()
  readonly #sessions = new Map<string, {readonly replica: Replica; readonly promptTokens: number}>()
  #policy: PolicyName
  #turn = 0
  #toldMs = Number.NEGATIVE_INFINITY

  constructor(options: DispatcherOptions) {
    this.#sink = options.sink
    this.#random = options.random
    this.#policy = options.policy ?? 'expected-time'
    this.#limits = {...DEFAULT_LIMITS, ...options.limits}
    this.#fleet = new Fleet(this.#limits, options.rates ?? {})
    this.#budget = new RetryBudget(this.#limits)
  }

  /** The nodes that there are from now on. What runs on one that is no longer there goes on. */
  setNodes(nodes: readonly BalancedNode[], nowMs: number): void {
    this.#fleet.setNodes(nodes)
    this.#advance(nowMs)
  }

  setPolicy(policy: PolicyName): void {
    this.#policy = policy
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
      const {why, excluded} = this.#unknown(request)
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
    const loading = replica.loading
    replica.answered(nowMs)
    replica.at.alive(nowMs)
    replica.prefixes.add(job.request.prefix)
    if (loading) this.#advanceNode(replica, nowMs)
  }

  /** An attempt has ended. */
  settle(id: number, outcome: Outcome, nowMs: number): void {
    const job = this.#jobs.get(id)
    const attempt = job?.attempt
    if (!job || !attempt) return
    const {replica} = attempt
    const crowding = (attempt.crowding + replica.crowding()) / 2
    this.#vacate(job)
    if (outcome.kind === 'failed') this.#failed(job, attempt, outcome, nowMs)
    else {
      this.#jobs.delete(id)
      if (outcome.kind === 'cancelled') this.#left(attempt, nowMs)
      else {
        if (replica.breaker.succeed(attempt.tickets.replica)) replica.recovered()
        if (replica.at.breaker.succeed(attempt.tickets.node)) replica.recovered()
        learnFrom(job, {...attempt, crowding}, outcome.stats, nowMs)
        this.#remember(job, replica)
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
      this.#vacate(job)
      this.#left(attempt, nowMs)
      this.#advanceNode(attempt.replica, nowMs)
      return
    }
    this.#delayed.delete(job)
    this.#unqueue(job)
  }

  /** To be called when `nextTickMs` has come: deadlines, ageing, breakers that open again. */
  tick(nowMs: number): void {
    for (const job of this.#delayed) this.#retryDelayed(job, nowMs)
    for (const model of [...this.#waiting]) {
      const {queue} = model
      queue.age(nowMs, this.#limits.ageingMs, (job) => job.request.priority)
      for (const {item: job} of [...queue.waiting]) this.#expire(job, nowMs)
    }
    this.#advance(nowMs)
    if (nowMs - this.#toldMs >= TELL_MS) this.#tellPlaces(nowMs)
  }

  /** When `tick` is to be called next; undefined: not before something else has happened. */
  nextTickMs(nowMs: number): number | undefined {
    return this.#waiting.size > 0 || this.#delayed.size > 0 ? nowMs + TICK_MS : undefined
  }

  /** The whole table for such a request; decides nothing. */
  explain(request: DispatchRequest, nowMs: number): Decision {
    const policy = request.policy ?? this.#policy
    const model = this.#fleet.model(request.model)
    if (!model)
      return {
        policy,
        reason: 'no node has it',
        ranked: [],
        excluded: this.#unknown(request).excluded,
      }
    const job = new Job(request, model, nowMs)
    const candidates = model.replicas
      .filter((replica) => replica.blocked(job, nowMs) === undefined)
      .map((replica) => this.#snapshot(replica, job, nowMs))
    const ranked = rank(request, candidates, policy, {
      nowMs,
      random: this.#random,
      stickTo: stickTo(request),
    })
    const [best] = ranked
    const reason = best ? `${best.candidate.residency}` : 'nobody can take it'
    return {policy, reason, ranked, excluded: explainExcluded(job, this.#fleet.nodes, nowMs)}
  }

  /** How things stand, for metrics and `top`. */
  view(nowMs: number): FleetView {
    return viewOf(this.#fleet, this.#budget.counts(nowMs), nowMs, (model) =>
      this.#queueMs(model, model.queue.length, nowMs),
    )
  }

  /** What was learned, to be kept and given to the next one. */
  rates(): Rates {
    return this.#fleet.rates()
  }

  /** Sends it, queues it or refuses it. */
  #place(job: Job, nowMs: number): void {
    const {model} = job
    if (model.queue.length === 0) {
      const pick = this.#choose(job, nowMs)
      if (pick.kind === 'send') {
        this.#send(job, pick.replica, nowMs)
        return
      }
      if (pick.kind === 'none') {
        this.#nobody(job, nowMs)
        return
      }
    }
    this.#enqueue(job, nowMs)
    if (model.queue.length > 1) this.#bind(model, nowMs)
    if (job.attempt || !this.#jobs.has(job.request.id)) return
    const at = model.queue.waiting.findIndex((one) => one.item === job)
    this.#tell(job, at + 1, nowMs)
  }

  #choose(job: Job, nowMs: number, plan?: Plan): Pick {
    const request = job.request
    return choose(job, request.policy ?? this.#policy, {
      nowMs,
      random: this.#random,
      stickTo: stickTo(request),
      session: request.session === undefined ? undefined : this.#sessions.get(request.session),
      plan,
    })
  }

  #enqueue(job: Job, nowMs: number): void {
    const {request, model} = job
    const again = job.failed !== undefined
    const {tenant, weight = 1, priority} = request
    const {others} = model
    const cost = others.serviceMs ?? 1
    const dropped = model.queue.push(job, {tenant, weight, priority, cost, again}, nowMs)
    this.#waiting.add(model)
    if (dropped) this.#refuseBusy(dropped, nowMs)
  }

  /** Gives those that wait for a model what is free and worth it, in their order. */
  #bind(model: ModelState, nowMs: number): void {
    const {queue} = model
    const looks = Math.max(2, Math.floor(LOOKS / Math.max(1, model.replicas.length)))
    const plan = new Plan()
    let at = 0
    for (let look = 0; look < looks && at < queue.length; look++) {
      const job = queue.waiting[at]?.item
      if (!job || !model.replicas.some((one) => one.hasRoom(nowMs))) break
      if (job.bound && !job.bound.hasRoom(nowMs) && job.bound.blocked(job, nowMs) === undefined) {
        // It costs next to nothing to see that its node is busy.
        look--
        at++
        continue
      }
      const pick = this.#choose(job, nowMs, plan)
      if (pick.kind === 'send') {
        queue.take(at)
        this.#send(job, pick.replica, nowMs)
      } else if (pick.kind === 'none' && !this.#soon(job, nowMs)) {
        this.#unqueue(job)
        this.#refuseNobody(job, nowMs)
      } else {
        if (pick.kind === 'wait' && pick.on) plan.take(pick.on, pick.onMs, nowMs)
        at++
      }
    }
    if (queue.length === 0) this.#waiting.delete(model)
  }

  #send(job: Job, replica: Replica, nowMs: number): void {
    const {request, model} = job
    const {at} = replica
    this.#unbind(job)
    replica.consider(request, nowMs)
    const terms = expectedTime(request, replica, nowMs)
    const numCtx = replica.numCtxFor(request)
    const warm = replica.residency === 'loaded'
    if (replica.residency === 'cold' || replica.residency === 'reload')
      replica.startLoad(terms.loadMs, numCtx, nowMs)
    replica.running.push(job)
    at.inFlight++
    at.lastUsedMs = this.#nextTurn(nowMs)
    model.used(nowMs)
    job.attempt = {
      replica,
      sentMs: nowMs,
      expected: {loadMs: terms.loadMs, promptMs: terms.promptMs, answerMs: terms.answerMs},
      atOnce: replica.running.length,
      crowding: replica.crowding(),
      warm,
      cachedTokens: replica.cachedTokens,
      tickets: {replica: replica.breaker.take(), node: at.breaker.take()},
    }
    const others = model.replicas.some(
      (other) => other !== replica && other.blocked(job, nowMs) === undefined,
    )
    const patience = patienceFor({
      terms,
      streams: request.streams ?? false,
      worst: replica.worst,
      msPerToken: 1000 / (replica.rate?.answerTps ?? 1),
      loaded: warm,
      others,
    })
    const decision: Decision = {
      policy: request.policy ?? this.#policy,
      reason: reasonFor(replica, others),
      ranked: [],
      excluded: [],
    }
    const to = {node: at.name, attempt: job.tried.length + 1, decision, patience}
    this.#sink.send(request.id, numCtx === undefined ? to : {...to, numCtx})
  }

  /** Its attempt is over: the slot is free. */
  #vacate(job: Job): void {
    const {attempt} = job
    if (!attempt) return
    const {running, at} = attempt.replica
    running.splice(running.indexOf(job), 1)
    at.inFlight--
    job.attempt = undefined
  }

  #left({replica, tickets}: NonNullable<Job['attempt']>, nowMs: number): void {
    replica.breaker.release(tickets.replica)
    replica.at.breaker.release(tickets.node)
    // A load whose request has gone is given up by Ollama; the next one starts it anew.
    if (replica.loading && replica.running.length === 0) replica.unloaded(nowMs)
  }

  #failed(
    job: Job,
    attempt: NonNullable<Job['attempt']>,
    {failure, begun}: {readonly failure: Failure; readonly begun: boolean},
    nowMs: number,
  ): void {
    const {replica} = attempt
    const verdict = judge(failure)
    this.#blame(attempt, failure, verdict, nowMs)
    job.failed = {failure, verdict, node: replica.node}
    job.tried.push(replica)
    job.sinceMs = nowMs
    if (begun || verdict === 'caller' || job.tried.length >= this.#limits.attempts) {
      this.#refuseFailed(job, nowMs)
      return
    }
    if (!this.#soon(job, nowMs)) {
      this.#refuseFailed(job, nowMs)
      return
    }
    if (this.#budget.take(nowMs)) this.#place(job, nowMs)
    else this.#delayed.add(job)
  }

  #blame(
    {replica, tickets, begunMs}: NonNullable<Job['attempt']>,
    failure: Failure,
    verdict: Verdict,
    nowMs: number,
  ): void {
    const {at, breaker} = replica
    if (verdict === 'broken' && isLoadError(failure)) {
      replica.ban(nowMs)
      breaker.release(tickets.replica)
      at.breaker.release(tickets.node)
    } else if (verdict === 'broken') {
      const unreachable = failure.kind === 'unreachable'
      if (unreachable) {
        breaker.release(tickets.replica)
        at.breaker.fail(tickets.node, nowMs, {atOnce: true})
      } else {
        at.breaker.release(tickets.node)
        breaker.fail(tickets.replica, nowMs, {atOnce: failure.kind === 'timeout'})
      }
      replica.rate = learnFailure(replica.rate, nowMs)
      if (replica.loading && begunMs === undefined && replica.running.length === 0)
        replica.unloaded(nowMs)
    } else {
      breaker.release(tickets.replica)
      at.breaker.release(tickets.node)
      if (verdict === 'missing') replica.missed(nowMs)
      if (verdict === 'busy') replica.tooBusy(nowMs)
    }
  }

  /** True: it can take the job now or soon. */
  #mayTake(replica: Replica, job: Job, nowMs: number): boolean {
    const why = replica.blocked(job, nowMs)
    if (why === undefined) return true
    if (why !== 'broken' && why !== 'banned' && why !== 'busy') return false
    return (replica.blockedForMs(nowMs) ?? 0) <= this.#limits.nodeWaitMs
  }

  #soon(job: Job, nowMs: number): boolean {
    return job.model.replicas.some((one) => this.#mayTake(one, job, nowMs))
  }

  /** Nobody can take it now: it waits if somebody can soon, and is refused otherwise. */
  #nobody(job: Job, nowMs: number): void {
    if (this.#soon(job, nowMs)) {
      this.#enqueue(job, nowMs)
      if (this.#jobs.has(job.request.id)) this.#tell(job, job.model.queue.length, nowMs)
    } else this.#refuseNobody(job, nowMs)
  }

  #expire(job: Job, nowMs: number): void {
    if (nowMs - job.submittedMs > this.#limits.queueMaxMs) {
      this.#unqueue(job)
      this.#refuseBusy(job, nowMs)
    } else if (!this.#soon(job, nowMs)) {
      this.#unqueue(job)
      this.#refuseNobody(job, nowMs)
    }
  }

  #retryDelayed(job: Job, nowMs: number): void {
    const expired = nowMs - job.submittedMs > this.#limits.queueMaxMs
    if (!expired && this.#soon(job, nowMs)) {
      if (!this.#budget.take(nowMs)) return
      this.#delayed.delete(job)
      this.#place(job, nowMs)
    } else {
      this.#delayed.delete(job)
      this.#refuseFailed(job, nowMs)
    }
  }

  #advance(nowMs: number): void {
    for (const model of [...this.#waiting]) this.#bind(model, nowMs)
  }

  /** Something became free on that node: for those of its models whose first has waited longest, first. */
  #advanceNode(replica: Replica, nowMs: number): void {
    if (this.#waiting.size === 0) return
    const models = [...this.#waiting].filter((model) => replica.at.replicas.has(model.key))
    models.sort((a, b) => firstSince(a) - firstSince(b))
    for (const model of models) this.#bind(model, nowMs)
  }

  #unqueue(job: Job): void {
    this.#unbind(job)
    job.model.queue.remove(job)
    if (job.model.queue.length === 0) this.#waiting.delete(job.model)
  }

  #unbind(job: Job): void {
    if (!job.bound) return
    job.bound.boundCount--
    job.bound.at.inFlight--
    job.bound = undefined
  }

  #refuseFailed(job: Job, nowMs: number): void {
    const {failed} = job
    if (!failed) {
      this.#refuseNobody(job, nowMs)
      return
    }
    if (failed.verdict === 'missing' && !job.model.replicas.some((one) => !one.missing)) {
      this.#refuse(job, {kind: 'missing'}, nowMs)
      return
    }
    this.#refuse(job, {kind: 'failed', ...failed}, nowMs)
  }

  #refuseNobody(job: Job, nowMs: number): void {
    if (job.failed) {
      this.#refuseFailed(job, nowMs)
      return
    }
    const {replicas} = job.model
    const missing = replicas.every((one) => one.missing)
    if (missing) {
      this.#refuse(job, this.#unknown(job.request).why, nowMs)
      return
    }
    let soonestMs = LONGEST_RETRY_AFTER_MS
    for (const one of replicas) {
      const why = one.blocked(job, nowMs)
      if (why === 'broken' || why === 'banned' || why === 'busy')
        soonestMs = Math.min(soonestMs, one.blockedForMs(nowMs) ?? soonestMs)
    }
    const retryAfterMs = Math.max(LEAST_RETRY_AFTER_MS, soonestMs)
    this.#refuse(job, {kind: 'no-node', retryAfterMs}, nowMs)
  }

  #refuseBusy(job: Job, nowMs: number): void {
    const expectedMs = this.#queueMs(job.model, job.model.queue.length, nowMs)
    const retryAfterMs = Math.round(
      Math.min(LONGEST_RETRY_AFTER_MS, Math.max(LEAST_RETRY_AFTER_MS, expectedMs)),
    )
    this.#refuse(job, {kind: 'busy', retryAfterMs}, nowMs)
  }

  #refuse(job: Job, why: Refusal, nowMs: number): void {
    this.#unbind(job)
    this.#jobs.delete(job.request.id)
    this.#sink.refuse(job.request.id, why, explainExcluded(job, this.#fleet.nodes, nowMs))
  }

  /** Of a model that nobody has told of. */
  #unknown({only}: DispatchRequest): {readonly why: Refusal; readonly excluded: Excluded[]} {
    const nodes = [...this.#fleet.nodes.values()].filter(
      (node) => only === undefined || node.name === only,
    )
    const excluded = nodes.map(({name, reading}): Excluded => {
      if (!reading) return {node: name, reason: 'silent', text: 'has not answered yet'}
      if (reading.kind === 'down')
        return {node: name, reason: 'down', text: `${reading.code}: ${reading.message}`}
      return {node: name, reason: 'no-model', text: 'does not have the model'}
    })
    const asked = excluded.some(({reason}) => reason === 'no-model')
    const why: Refusal = asked
      ? {kind: 'missing'}
      : {kind: 'no-node', retryAfterMs: LEAST_RETRY_AFTER_MS}
    return {why, excluded}
  }

  #remember({request}: Job, replica: Replica): void {
    const {session, promptTokens} = request
    if (session === undefined) return
    this.#sessions.delete(session)
    this.#sessions.set(session, {replica, promptTokens})
    for (const oldest of this.#sessions.keys()) {
      if (this.#sessions.size <= this.#limits.sessions) break
      this.#sessions.delete(oldest)
    }
  }

  /** Time after which that many of a model will have gone. */
  #queueMs(model: ModelState, count: number, nowMs: number): number {
    const {firstMs, perMs} = model.pace(nowMs)
    return Math.round(firstMs + (perMs > 0 ? Math.max(0, count - 1) / perMs : 0))
  }

  #tell(job: Job, position: number, nowMs: number): void {
    job.position = position
    const expectedMs = this.#queueMs(job.model, position, nowMs)
    this.#sink.queued(job.request.id, {position, expectedMs})
  }

  #tellPlaces(nowMs: number): void {
    this.#toldMs = nowMs
    for (const model of this.#waiting) {
      const {waiting} = model.queue
      for (let at = 0; at < waiting.length; at++) {
        const job = waiting[at]?.item
        if (job && job.position !== at + 1) this.#tell(job, at + 1, nowMs)
      }
    }
  }

  #snapshot(replica: Replica, job: Job, nowMs: number) {
    replica.consider(job.request, nowMs)
    const {node, latencyMs, inFlight, lastUsedMs, residency, sizeBytes, gpu, own, others} = replica
    const {answerTokens, loadBytesPerMs, waitMs, loadWaitMs, harmMs, cachedTokens, weight, tier} =
      replica
    return {
      ...{node, latencyMs, inFlight, lastUsedMs, residency, sizeBytes, gpu, own, others},
      ...{answerTokens, loadBytesPerMs, waitMs, loadWaitMs, harmMs, cachedTokens, weight, tier},
    }
  }

  /** Time of use that is later than all before, so that turns can be told apart. */
  #nextTurn(nowMs: number): number {
    this.#turn = Math.max(nowMs, this.#turn + 0.001)
    return this.#turn
  }
}

const firstSince = ({queue}: ModelState) => queue.waiting[0]?.sinceMs ?? Number.POSITIVE_INFINITY

function stickTo({session, tenant}: DispatchRequest): string | undefined {
  return session ?? (tenant === '' ? undefined : tenant)
}

function reasonFor(replica: Replica, others: boolean): string {
  const alone = others ? '' : ', only one'
  if (replica.cachedTokens > 0) return `prefix ${Math.round(replica.cachedTokens)} tokens${alone}`
  return `${replica.residency === 'loaded' ? 'warm' : replica.residency}${alone}`
}
