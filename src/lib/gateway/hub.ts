import type {
  DispatchRequest,
  DispatchSink,
  Outcome,
  Refusal,
  SendOrder,
} from '../balancer/dispatch-request.ts'
import type {Dispatcher} from '../balancer/dispatcher.ts'
import {IdTable} from '../cluster/id-table.ts'
import {wordsOf} from '../ollama/errors.ts'
import type {Upstream} from '../ollama/upstream.ts'
import type {TracedAttempt} from '../trace/tracing.ts'
import {Attempt, type NodeReply} from './attempt.ts'
import {withNumCtx} from './body/num-ctx.ts'
import {type Fields, walk} from './body/walk.ts'
import {steadyMs} from './clock.ts'
import type {Exchange, ExchangeOutcome} from './exchange.ts'
import {withTrace} from './headers.ts'
import {problemOf} from './refusal.ts'
import type {Call} from './route.ts'
import type {Thread} from './thread.ts'

/** One inference on its way: what was asked, and who is at it. */
export interface Job {
  readonly exchange: Exchange
  readonly call: Call
  /** Both change when the answer is taken up by another node. */
  body: Buffer
  request: DispatchRequest
  /** Where the fields of the body stand; absent once it is another one. */
  fields?: Fields
  /** As a node may see them. */
  readonly headers: readonly string[]
  /** The client wants lines that say how long it still has to wait. */
  readonly tellsQueue: boolean
  /** Kept where another node may take the answer up when one breaks off. */
  readonly thread?: Thread | undefined
}

interface Running extends Job {
  readonly submittedMs: number
  /** Changes when the answer is taken up by another node. */
  id: number
  path: string
  attempt?: Attempt
  /** The attempt's span, until it has ended. */
  traced?: TracedAttempt | undefined
  reply?: NodeReply
}

export interface HubOptions {
  readonly upstreamOf: (node: string) => Upstream | undefined
  /** A node could not be reached: it is worth a look at once. */
  readonly lost: (node: string) => void
  /** The other nodes that are up and have exactly the model that `node` has under this name. */
  readonly sameModel: (model: string, node: string) => readonly string[]
  /** A node has failed an attempt; `kind` as in Failure. */
  readonly failed: (node: string, kind: string) => void
  /** An inference has ended, in whatever way; called once for each. */
  readonly ended: (exchange: Exchange) => void
}

/** What a hub tells of its requests: to the dispatcher in this process, or to whoever passes it on to one elsewhere. */
export type DispatchDoor = Pick<Dispatcher, 'submit' | 'began' | 'settle' | 'cancel' | 'tick'>

const POSITION = 'X-Ollamax-Queue-Position'

/** How often clocks are looked at. */
const SWEEP_MS = 250

/** Carries out what the dispatcher decides, and tells it what became of it: all effects are here. */
export class Hub implements DispatchSink {
  readonly #options: HubOptions
  readonly #running = new IdTable<Running>()
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
    const running: Running = {...job, submittedMs: performance.now(), id, path}
    this.#running.set(id, running)
    job.exchange.response.once('close', () => this.#left(running.id))
    this.tell((dispatcher, nowMs) => dispatcher.submit(job.request, nowMs))
  }

  send(id: number, to: SendOrder): void {
    const job = this.#running.get(id)
    if (!job) return
    const {exchange} = job
    const nowMs = performance.now()
    exchange.node = to.node
    exchange.attempts = to.attempt
    exchange.reason = to.decision.reason
    if (!job.attempt) exchange.queueMs = nowMs - job.submittedMs
    if (to.numCtx !== undefined) exchange.extra.push('X-Ollamax-Num-Ctx', `${to.numCtx}`)
    const attempt = new Attempt(
      exchange,
      {call: job.call, patience: to.patience, nowMs, thread: job.thread},
      {
        began: () => this.tell((dispatcher, at) => dispatcher.began(id, at)),
        settled: (outcome, reply) => this.#settled(id, attempt, {outcome, reply}),
      },
    )
    job.attempt = attempt
    job.traced = exchange.trace?.attempt(to.node)
    const headers = withTrace(job.headers, job.traced?.headers)
    const upstream = this.#options.upstreamOf(to.node)
    const body = to.numCtx === undefined ? job.body : setNumCtx(job, to.numCtx)
    const method = exchange.request.method ?? 'POST'
    if (upstream) upstream.send({method, path: job.path, headers, body}, attempt)
    else attempt.fail(new Error(`node ${to.node} is gone`))
  }

  queued(id: number, place: {readonly position: number; readonly expectedMs: number}): void {
    const job = this.#running.get(id)
    if (!job) return
    const {exchange} = job
    if (!exchange.response.headersSent && !exchange.extra.includes(POSITION))
      exchange.extra.push(POSITION, `${place.position}`)
    if (job.tellsQueue) exchange.status(queueLine(job, place))
  }

  refuse(id: number, why: Refusal): void {
    const job = this.#running.get(id)
    if (!job) return
    const {exchange, reply} = job
    if (why.kind === 'failed' && reply) {
      this.#answerWith(exchange, reply)
      this.#end(id, why.verdict === 'caller' ? 'caller' : 'failed')
      return
    }
    exchange.problem(problemOf(why, {model: job.request.model, call: job.call}))
    this.#end(id, why.kind === 'failed' ? 'failed' : why.kind === 'missing' ? 'caller' : 'refused')
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

  /** Breaks off what still runs. */
  close(): void {
    clearInterval(this.#sweep)
    for (const {exchange} of this.#running.values()) exchange.response.destroy()
  }

  #settled(
    id: number,
    attempt: Attempt,
    {outcome, reply}: {readonly outcome: Outcome; readonly reply: NodeReply | undefined},
  ): void {
    const job = this.#running.get(id)
    if (job?.attempt !== attempt) return
    endSpan(job, outcome)
    if (reply) job.reply = reply
    else delete job.reply
    const {node} = job.exchange
    if (outcome.kind === 'failed' && node !== undefined) {
      this.#options.failed(node, outcome.failure.kind)
      if (outcome.failure.kind === 'unreachable') this.#options.lost(node)
    }
    if (outcome.kind === 'ok') {
      job.exchange.promptTokens = outcome.stats.promptTokens
      job.exchange.answerTokens = outcome.stats.answerTokens
      this.#end(id, 'ok')
    }
    const broke = outcome.kind === 'failed' && outcome.begun
    const takenUp = broke && this.#takeUp(job)
    if (broke && !takenUp) this.#brokeOff(job, reply)
    this.tell((dispatcher, nowMs) => dispatcher.settle(id, outcome, nowMs))
    if (takenUp) this.tell((dispatcher, nowMs) => dispatcher.submit(job.request, nowMs))
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
    endSpan(job, {kind: 'cancelled'})
    this.#end(id, 'cancelled')
    this.tell((dispatcher, nowMs) => dispatcher.cancel(id, nowMs))
  }

  #end(id: number, outcome: ExchangeOutcome): void {
    const job = this.#running.get(id)
    if (!job) return
    this.#running.delete(id)
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
    for (const {attempt} of this.#running.values()) attempt?.check(nowMs)
    this.tell((dispatcher, at) => dispatcher.tick(at))
  }
}

function setNumCtx({body, fields}: Job, numCtx: number): Buffer {
  const known = fields ?? walk(body)
  return known ? withNumCtx(body, known, numCtx) : body
}

/** A line of the stream that is no piece of the answer: its text is empty, so that every client can read it. */
function queueLine(
  {call, request}: Job,
  {position, expectedMs}: {readonly position: number; readonly expectedMs: number},
): string {
  const text = call === 'chat' ? {message: {role: 'assistant', content: ''}} : {response: ''}
  const line = {
    model: request.model,
    created_at: new Date().toISOString(),
    ...text,
    done: false,
    status: 'queued',
    queue_position: position,
    expected_ms: Math.round(expectedMs),
  }
  return `${JSON.stringify(line)}\n`
}

function endSpan(job: Running, outcome: Outcome): void {
  const {traced} = job
  if (!traced) return
  job.traced = undefined
  if (outcome.kind === 'ok') traced.end({status: job.exchange.response.statusCode})
  else if (outcome.kind === 'cancelled') traced.end({})
  else {
    const {failure} = outcome
    traced.end({
      failure: failure.kind,
      ...(failure.kind === 'reply' ? {status: failure.status} : {}),
    })
  }
}
