import type {DispatchSink, Outcome, Refusal, SendOrder} from '../balancer/dispatch-request.ts'
import type {Dispatcher} from '../balancer/dispatcher.ts'
import type {Failure} from '../balancer/verdict.ts'
import {IdTable} from '../cluster/id-table.ts'
import {wordsOf} from '../ollama/errors.ts'
import type {Upstream} from '../ollama/upstream.ts'
import {Attempt, type NodeReply} from './attempt.ts'
import {endSpan} from './attempt-span.ts'
import {BodyBuffers} from './body/body-buffers.ts'
import {steadyMs} from './clock.ts'
import type {Problem} from './dialects/problem.ts'
import type {Exchange, ExchangeOutcome} from './exchange.ts'
import {withTrace} from './headers.ts'
import {Hedge, type Second} from './hedge.ts'
import {type Job, type Running, setNumCtx, tellNumCtx} from './job.ts'
import {type Place, queueLine} from './queue-line.ts'
import {problemOf} from './refusal.ts'

export interface HubOptions {
  readonly upstreamOf: (node: string) => Upstream | undefined
  /** A node is not as it was read, or does not have what it said: it is worth a look at once. */
  readonly doubt: (node: string) => void
  /** Has the nodes asked what they have, unless that was done of late; undefined: it was. */
  readonly current: () => Promise<void> | undefined
  /** The other nodes that are up and have exactly the model that `node` has under this name. */
  readonly sameModel: (model: string, node: string) => readonly string[]
  /** A node has failed an attempt; `kind` as in Failure. */
  readonly failed: (node: string, kind: string) => void
  /** An inference has ended, in whatever way; called once for each. */
  readonly ended: (exchange: Exchange) => void
}

/** What a hub tells of its requests: to the dispatcher in this process, or to whoever passes it on to one elsewhere. */
export interface DispatchDoor
  extends Pick<Dispatcher, 'submit' | 'began' | 'settle' | 'cancel' | 'tick'> {
  /** As the dispatcher's own; from elsewhere the answer may come too late to be of use. Never rejects. */
  hedge(...words: Parameters<Dispatcher['hedge']>): HedgeOrder | Promise<HedgeOrder>
}

type HedgeOrder = ReturnType<Dispatcher['hedge']>

const POSITION = 'X-Ollamax-Queue-Position'

/** How often clocks are looked at. */
const SWEEP_MS = 250

/** Carries out what the dispatcher decides, and tells it what became of it: all effects are here. */
export class Hub implements DispatchSink {
  /** For the bodies of inferences, which come back as soon as no node can need them again. */
  readonly bodies = new BodyBuffers()
  readonly #options: HubOptions
  readonly #running = new IdTable<Running>()
  /** The inferences that wait or run, each once. */
  readonly jobs: Iterable<Running> = this.#running
  readonly #sweep: NodeJS.Timeout
  #dispatcher: DispatchDoor | undefined
  /** Later legs of an answer have negative ids, which no exchange has. */
  #lastLeg = 0
  /** The dispatcher is at work and must not be called. */
  #inside = false

  constructor(options: HubOptions) {
    this.#options = options
    this.#sweep = setInterval(() => this.#lookAtClocks(), SWEEP_MS)
  }

  /** Must come before the first `submit`: the dispatcher is made with this hub as its sink. */
  use(dispatcher: DispatchDoor): void {
    this.#dispatcher = dispatcher
  }

  /** Inferences that wait or run. */
  get size(): number {
    return this.#running.size
  }

  submit(job: Job): void {
    const {id} = job.request
    const path = job.exchange.target
    job.exchange.asked = job.request
    const running: Running = {...job, submittedMs: performance.now(), id, path}
    this.#running.set(id, running)
    job.exchange.response.once('close', () => this.#left(running.id))
    this.tell((dispatcher, nowMs) => dispatcher.submit(job.request, nowMs))
  }

  send(id: number, to: SendOrder): void {
    const job = this.#running.get(id)
    if (!job) return
    const {exchange} = job
    exchange.node = to.node
    exchange.attempts++
    exchange.reason = to.decision.reason
    // Whoever is asked now, it is not the hedge that has answered.
    if (exchange.hedge) exchange.hedge = 'lost'
    if (!job.attempt) exchange.queueMs = performance.now() - job.submittedMs
    if (to.numCtx !== undefined) tellNumCtx(exchange, to.numCtx)
    const {attempt, traced, go} = this.#attempt(job, to)
    job.attempt = attempt
    job.traced = traced
    const {hedgeAfterMs} = to
    if (hedgeAfterMs !== undefined)
      job.hedge = new Hedge(hedgeAfterMs, () => this.#startHedge(job, attempt))
    go()
  }

  /** An attempt that has still to go. */
  #attempt(job: Running, to: SendOrder) {
    const {exchange} = job
    const attempt: Attempt = new Attempt(
      exchange,
      {call: job.call, patience: to.patience, nowMs: performance.now(), thread: job.thread},
      {
        began: () => this.#began(job, attempt),
        settled: (outcome, reply) => this.#settled(job, attempt, {outcome, reply}),
      },
    )
    const traced = exchange.trace?.attempt(to.node)
    const headers = withTrace(job.headers, traced?.headers)
    const upstream = this.#options.upstreamOf(to.node)
    const body = to.numCtx === undefined ? job.body : setNumCtx(job, to.numCtx)
    const {method} = exchange.request
    const go = () => {
      if (upstream) upstream.send({method, path: job.path, headers, body}, attempt)
      else attempt.fail(new Error(`node ${to.node} is gone`))
    }
    return {attempt, traced, go}
  }

  #began(job: Running, attempt: Attempt): void {
    const second = job.hedge?.over()
    if (second?.attempt === attempt) this.#takeOver(job, second, {kind: 'cancelled'})
    else if (second) this.#dropHedge(second, {kind: 'cancelled'})
    this.tell((dispatcher, at) => dispatcher.began(job.id, at))
  }

  /** The first attempt has said nothing for too long: another one beside it, if there is somebody for it. */
  #startHedge(job: Running, first: Attempt): void | Promise<void> {
    const {hedge, exchange} = job
    if (!hedge || job.attempt !== first || !exchange.open) return
    const id = --this.#lastLeg
    let answered: Promise<void> | undefined
    this.tell((dispatcher, nowMs) => {
      const to = dispatcher.hedge(job.id, id, nowMs)
      if (to instanceof Promise) answered = to.then((late) => this.#hedged(job, {hedge, id}, late))
      else this.#hedged(job, {hedge, id}, to)
    })
    return answered
  }

  #hedged(job: Running, {hedge, id}: {readonly hedge: Hedge; readonly id: number}, to: HedgeOrder) {
    if (!to) return
    if (!hedge.wanted) {
      // While somebody was looked for, the first attempt has begun or ended.
      this.tell((dispatcher, nowMs) => dispatcher.settle(id, {kind: 'cancelled'}, nowMs))
      return
    }
    const {exchange} = job
    const {attempt, traced, go} = this.#attempt(job, to)
    const {node, numCtx, decision} = to
    hedge.second = {id, node, numCtx, attempt, traced, reason: `${decision.reason}, hedge`}
    exchange.attempts++
    exchange.hedge = 'lost'
    exchange.reason = `${exchange.reason}, hedged`
    go()
  }

  /** The second attempt is the only one from now on; `outcome`: of the first one. */
  #takeOver(job: Running, second: Second, outcome: Outcome): void {
    const {id, attempt, exchange} = job
    this.#running.delete(id)
    endSpan(job, outcome, 0)
    Object.assign(job, {id: second.id, attempt: second.attempt, traced: second.traced})
    this.#running.set(job.id, job)
    exchange.node = second.node
    exchange.reason = second.reason
    exchange.hedge = 'won'
    if (second.numCtx !== undefined) tellNumCtx(exchange, second.numCtx)
    attempt?.abort()
    this.tell((dispatcher, nowMs) => dispatcher.settle(id, outcome, nowMs))
  }

  /** The second attempt ends; `outcome`: how. */
  #dropHedge({id, attempt, traced}: Second, outcome: Outcome): void {
    endSpan({traced}, outcome, 0)
    attempt.abort()
    this.tell((dispatcher, nowMs) => dispatcher.settle(id, outcome, nowMs))
  }

  queued(id: number, place: Place): void {
    const job = this.#running.get(id)
    if (!job) return
    const {exchange} = job
    if (!exchange.response.headersSent && !exchange.extra.includes(POSITION))
      exchange.extra.push(POSITION, `${place.position}`)
    if (job.tellsQueue) exchange.status(queueLine(job.call, job.request.model, place))
  }

  refuse(id: number, why: Refusal): void {
    const job = this.#running.get(id)
    if (!job) return
    const {exchange, reply} = job
    if (why.kind === 'missing' && !job.rechecked) {
      job.rechecked = true
      const current = this.#options.current()
      if (current !== undefined) {
        void current.then(() => this.#again(job))
        return
      }
    }
    if (why.kind === 'failed' && reply) {
      this.#answerWith(exchange, reply)
      this.#end(id, why.verdict === 'caller' ? 'caller' : 'failed')
      return
    }
    exchange.problem(problemOf(why, {model: job.request.model, call: job.call}))
    this.#end(id, why.kind === 'failed' ? 'failed' : why.kind === 'missing' ? 'caller' : 'refused')
  }

  /** Asks for a node once more, as the nodes may have another since. */
  #again(job: Running): void {
    if (this.#running.get(job.id) !== job) return
    this.tell((dispatcher, nowMs) => dispatcher.submit(job.request, nowMs))
  }

  /** The last word was a node's own error: it is passed on as it is. */
  #answerWith(exchange: Exchange, reply: NodeReply): void {
    if (exchange.response.headersSent) {
      exchange.problem({status: reply.status, message: wordsOf(reply.body.toString('utf8'))})
      return
    }
    const length = ['Content-Length', `${reply.body.length}`]
    const retry = reply.status === 503 || reply.status === 429 ? ['Retry-After', '1'] : []
    exchange.head(reply.status, [...reply.headers, ...length, ...retry])
    exchange.bytesOut += reply.body.length
    exchange.response.end(reply.body)
  }

  /** Ends what waits and what runs, in words; of no node's fault. `begun`: for answers of which a part was sent. */
  shutDown({unbegun, begun}: {readonly unbegun: Problem; readonly begun: Problem}): void {
    // Those that wait come first: no slot that becomes free is for them.
    const last = ({attempt}: Running) => (attempt ? 1 : 0)
    for (const job of [...this.#running].sort((a, b) => last(a) - last(b)))
      if (job.exchange.begun) this.#stop(job, begun, 'failed')
      else this.#stop(job, unbegun, 'refused')
  }

  /** Ends one that waits or runs, because somebody wants it, in these words. False: there is none of that id. */
  cancel(requestId: string, words: Problem): boolean {
    const job = [...this.#running].find(({exchange}) => exchange.requestId === requestId)
    if (job) this.#stop(job, words, 'cancelled')
    return job !== undefined
  }

  #stop({exchange, attempt, id}: Running, words: Problem, outcome: ExchangeOutcome): void {
    attempt?.abort()
    if (exchange.begun) exchange.breakOff(words)
    else exchange.problem(words)
    this.#gaveUp(id, outcome)
  }

  /** Breaks off what still runs. */
  close(): void {
    clearInterval(this.#sweep)
    for (const {exchange} of this.#running.values()) exchange.response.destroy()
  }

  #settled(
    job: Running,
    attempt: Attempt,
    {outcome, reply}: {readonly outcome: Outcome; readonly reply: NodeReply | undefined},
  ): void {
    const {id, hedge, exchange} = job
    const second = hedge?.second
    if (second?.attempt === attempt) {
      this.#noteFailure(second.node, outcome)
      hedge?.over()
      this.#dropHedge(second, withoutRetry(outcome))
      return
    }
    if (job.attempt !== attempt || this.#running.get(id) !== job) return
    hedge?.over()
    if (exchange.node !== undefined) this.#noteFailure(exchange.node, outcome)
    if (second) {
      this.#takeOver(job, second, withoutRetry(outcome))
      return
    }
    endSpan(job, outcome, exchange.response.statusCode)
    if (reply) job.reply = reply
    else if (job.reply) delete job.reply
    if (outcome.kind === 'ok') {
      job.exchange.promptTokens = outcome.stats.promptTokens
      job.exchange.answerTokens = outcome.stats.answerTokens
      this.#end(id, 'ok')
      if (attempt.taken && exchange.attempts === 1) this.bodies.give(job.body)
    }
    const broke = outcome.kind === 'failed' && outcome.begun
    const takenUp = broke && this.#takeUp(job)
    if (broke && !takenUp) this.#brokeOff(job, reply)
    this.tell((dispatcher, nowMs) => dispatcher.settle(id, outcome, nowMs))
    if (takenUp) this.tell((dispatcher, nowMs) => dispatcher.submit(job.request, nowMs))
  }

  #noteFailure(node: string, outcome: Outcome): void {
    if (outcome.kind !== 'failed') return
    this.#options.failed(node, outcome.failure.kind)
    if (showsOther(outcome.failure)) this.#options.doubt(node)
  }

  /** Prepares to let another node go on where this one broke off; false if that cannot be. */
  #takeUp(job: Running): boolean {
    const {thread, exchange, request} = job
    const others = this.#options.sameModel(request.model, exchange.node ?? '')
    if (!thread?.continues || others.length === 0 || !exchange.open) return false
    this.#running.delete(job.id)
    job.id = --this.#lastLeg
    const {path, body} = thread.next()
    job.path = path
    job.body = body
    delete job.fields
    job.request = {...request, id: job.id, among: others}
    delete job.attempt
    this.#running.set(job.id, job)
    return true
  }

  /** The end of an answer that nobody takes up; what the client has to be told was told by the attempt, or is now. */
  #brokeOff(job: Running, reply: NodeReply | undefined): void {
    const {exchange, id} = job
    const words = reply ? `: ${wordsOf(reply.body.toString('utf8'))}` : ''
    const message = `node ${exchange.node} broke off the answer${words}`
    if (exchange.open) exchange.problem({status: 502, message})
    this.#end(id, 'failed')
  }

  #left(id: number): void {
    const job = this.#running.get(id)
    if (!job) return
    job.attempt?.abort()
    this.#gaveUp(id, 'cancelled')
  }

  /** It has ended before its answer did, and no node is to blame. */
  #gaveUp(id: number, outcome: ExchangeOutcome): void {
    const job = this.#running.get(id)
    if (!job) return
    endSpan(job, {kind: 'cancelled'}, 0)
    const second = job.hedge?.over()
    if (second) this.#dropHedge(second, {kind: 'cancelled'})
    this.#end(id, outcome)
    this.tell((dispatcher, nowMs) => dispatcher.cancel(id, nowMs))
  }

  #end(id: number, outcome: ExchangeOutcome): void {
    const job = this.#running.get(id)
    if (!job) return
    this.#running.delete(id)
    job.hedge?.over()
    job.exchange.outcome = outcome
    this.#options.ended(job.exchange)
  }

  /**
   * Tells the dispatcher of an event of the world. What happens while it is at work (a connection that fails at
   * once) is told afterwards.
   */
  tell(event: (dispatcher: DispatchDoor, nowMs: number) => void): void {
    const dispatcher = this.#dispatcher
    if (!dispatcher) return
    if (this.#inside) {
      queueMicrotask(() => this.tell(event))
      return
    }
    this.#inside = true
    try {
      event(dispatcher, steadyMs())
    } finally {
      this.#inside = false
    }
  }

  #lookAtClocks(): void {
    const nowMs = performance.now()
    for (const {attempt, hedge} of this.#running.values()) {
      attempt?.check(nowMs)
      hedge?.second?.attempt.check(nowMs)
    }
    this.tell((dispatcher, at) => dispatcher.tick(at))
  }
}

/** True if the node's last reading does not tell what this failure does. */
function showsOther(failure: Failure): boolean {
  return failure.kind === 'unreachable' || (failure.kind === 'reply' && failure.status === 404)
}

/** Nobody else is to be asked because of it: another attempt is under way. */
function withoutRetry(outcome: Outcome): Outcome {
  return outcome.kind === 'failed' ? {...outcome, begun: true} : outcome
}
