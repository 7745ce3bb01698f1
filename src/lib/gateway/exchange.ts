import type {DispatchRequest} from '../balancer/dispatch-request.ts'
import type {Trace} from '../trace/tracing.ts'
import {type Problem, problemBody, problemFrame} from './dialects/problem.ts'
import type {ClientRequest} from './listener/client-request.ts'
import type {ClientResponse} from './listener/client-response.ts'
import {type Dialect, dialectOf, type Route} from './route.ts'

/** How a request ended, for metrics and the access log. */
export type ExchangeOutcome = 'ok' | 'caller' | 'failed' | 'cancelled' | 'refused'

/** How a request ended that a node has answered with this status, and nobody else was asked. */
export function outcomeOf(status: number): ExchangeOutcome {
  if (status < 400) return 'ok'
  return status < 500 ? 'caller' : 'failed'
}

/** One request of a client and what is noted about it on the way; the only one who writes to the client. */
export class Exchange {
  readonly id: number
  /** Told to the client, and in the log. */
  readonly requestId: string
  readonly request: ClientRequest
  readonly response: ClientResponse
  readonly route: Route
  /** Path and query as they go upstream: without credentials. */
  readonly target: string
  readonly dialect: Dialect
  readonly startedMs: number
  key: string | undefined
  model: string | undefined
  node: string | undefined
  attempts = 0
  /** Of a second attempt beside one that said nothing: it answered, or did not. */
  hedge: 'won' | 'lost' | undefined
  queueMs = 0
  /** A few words on why this node; ASCII. */
  reason: string | undefined
  firstByteMs: number | undefined
  promptTokens: number | undefined
  answerTokens: number | undefined
  /** Tokens of its answer that were counted while it ran, see `AnswerMeter`. */
  counted = 0
  bytesIn = 0
  bytesOut = 0
  outcome: ExchangeOutcome | undefined
  /** As the dispatcher was first asked, for the record. */
  asked: DispatchRequest | undefined
  /** Something of a node's answer has reached the client: nobody else can take over unseen. */
  begun = false
  /** What is being sent comes in pieces of the dialect, so that an error can be one of them. */
  streams = false
  /** Only while requests are traced. */
  trace: Trace | undefined
  /** More headers of ours: name, value, name, value... */
  readonly extra: string[] = []

  constructor(
    at: {readonly id: number; readonly requestId: string; readonly startedMs: number},
    to: {readonly request: ClientRequest; readonly response: ClientResponse},
    where: {readonly route: Route; readonly target: string},
  ) {
    this.id = at.id
    this.requestId = at.requestId
    this.startedMs = at.startedMs
    this.request = to.request
    this.response = to.response
    this.route = where.route
    this.target = where.target
    this.dialect = dialectOf(where.route, where.target)
  }

  /** False once the client has left or was answered. */
  get open(): boolean {
    return !this.response.destroyed && !this.response.writableEnded
  }

  /** Sends the head; headers of ours are added. */
  head(status: number, headers: readonly string[]): void {
    this.response.writeHead(status, [...headers, ...this.#own()])
  }

  /** Sends a whole answer. HEAD gets its headers alone. */
  reply(
    status: number,
    type: string,
    body: string | Buffer,
    headers: readonly string[] = [],
  ): void {
    if (!this.open) return
    const bytes = typeof body === 'string' ? Buffer.from(body) : body
    const content = type ? ['Content-Type', type] : []
    this.head(status, [...content, 'Content-Length', `${bytes.length}`, ...headers])
    this.bytesOut += bytes.length
    this.response.end(this.request.method === 'HEAD' ? undefined : bytes)
  }

  /**
   * Tells that it waits, in a stream that a client has asked for it; the head is sent with the first such
   * line, before any node has said a word.
   */
  status(line: string): void {
    if (!this.open) return
    if (!this.response.headersSent) this.head(200, ['Content-Type', 'application/x-ndjson'])
    this.streams = true
    this.bytesOut += Buffer.byteLength(line)
    this.response.write(line)
  }

  json(status: number, value: unknown): void {
    this.outcome ??= status < 400 ? 'ok' : 'caller'
    this.reply(status, 'application/json; charset=utf-8', JSON.stringify(value))
  }

  /** Tells an error in the words of the client's dialect. */
  problem(problem: Problem): void {
    this.outcome ??= problem.status === 429 || problem.status >= 500 ? 'refused' : 'caller'
    // Status lines have been sent, so the error is a line too.
    if (this.response.headersSent) {
      this.breakOff(problem)
      return
    }
    const {retryAfterMs, authenticate} = problem
    const retry =
      retryAfterMs === undefined
        ? []
        : ['Retry-After', `${Math.max(1, Math.ceil(retryAfterMs / 1000))}`]
    if (authenticate !== undefined) retry.push('WWW-Authenticate', authenticate)
    // Ollama looks at no status where it asked for a part of a file: words would become bytes of it.
    if (this.route.kind === 'registry' && this.request.header('range') !== undefined) {
      this.reply(problem.status, '', '', retry)
      return
    }
    const body = problemBody(this.dialect, problem)
    this.reply(problem.status, 'application/json; charset=utf-8', body, retry)
  }

  /**
   * Ends an answer that has begun and will not become whole: in words where pieces are expected; of any other answer only
   * a broken connection says it.
   */
  breakOff(problem: Problem): void {
    if (!this.open) return
    this.outcome ??= 'failed'
    const {route} = this
    const call = route.kind === 'inference' ? route.call : ''
    if (this.streams) this.response.end(problemFrame(this.dialect, call, problem))
    else this.response.destroy()
  }

  #own(): string[] {
    const headers = [
      'X-Ollamax-Request-Id',
      this.requestId,
      'X-Ollamax-Attempts',
      `${this.attempts}`,
      'X-Ollamax-Queue-Ms',
      `${Math.round(this.queueMs)}`,
    ]
    if (this.node !== undefined) headers.push('X-Ollamax-Node', this.node)
    if (this.reason !== undefined) headers.push('X-Ollamax-Reason', this.reason)
    if (this.extra.length > 0) headers.push(...this.extra)
    return headers
  }
}
