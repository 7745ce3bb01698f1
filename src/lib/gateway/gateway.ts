import {IdTable} from '../cluster/id-table.ts'
import type {Tracing} from '../trace/tracing.ts'
import type {BodyLimits} from './body/read.ts'
import {Exchange} from './exchange.ts'
import type {Admitted, Refused} from './guard.ts'
import type {ClientRequest} from './listener/client-request.ts'
import type {ClientResponse} from './listener/client-response.ts'
import {openListener} from './listener/listener.ts'
import {type OriginPolicy, originHeaders, PREFLIGHT} from './origin.ts'
import {routeOf} from './route.ts'
import {type Floor, SHUT_DOWN, serveExchange} from './serve-exchange.ts'
import {watchStalls} from './stalls.ts'
import {toOriginForm} from './target.ts'
import {within} from './within.ts'

/** Bounds on what a client may do before it is known. */
export interface GatewayLimits extends BodyLimits {
  readonly maxConnections: number
  /** For a request's head to be there in full. */
  readonly headersTimeoutMs: number
  /** A client that takes nothing of its answer for so long is cut off. */
  readonly clientStallMs: number
}

export const DEFAULT_LIMITS: GatewayLimits = {
  // Ollama itself has no limit.
  maxBodyBytes: 128 * 1024 * 1024,
  bodyTimeoutMs: 30_000,
  maxConnections: 20_000,
  headersTimeoutMs: 20_000,
  clientStallMs: 120_000,
}

export interface GatewayOptions extends Floor {
  readonly host: string
  /** 0: any free one. */
  readonly port: number
  readonly tls?: {readonly cert: Buffer; readonly key: Buffer}
  readonly limits: GatewayLimits
  readonly origin: OriginPolicy
  /** Absent: nothing is traced. */
  readonly startTrace?: Tracing['startTrace']
}

/** The data plane: one address in front of all nodes. */
export interface Gateway {
  readonly url: string
  readonly port: number
  /** Takes no new connection and no new request; resolves when the running ones have ended, or at the deadline. */
  drain(deadlineMs: number): Promise<void>
  close(): Promise<void>
}

const MAX_HEADER_BYTES = 32 * 1024
const MAX_HEADERS = 100
const KEEP_ALIVE_MS = 75_000

/** For clients to take what they are told last. */
const LAST_WORDS_MS = 1000

/** Starts to listen. BAD_INPUT if the address cannot be had. */
export async function openGateway(options: GatewayOptions): Promise<Gateway> {
  const {limits, tls} = options
  const running = new IdTable<Exchange>()
  const state = {draining: false}
  let count = 0
  const instance = Math.floor(Math.random() * 36 ** 5)
    .toString(36)
    .padStart(5, '0')
  const onRequest = (request: ClientRequest, response: ClientResponse) => {
    const id = ++count
    const at = {id, requestId: `${instance}-${id.toString(36)}`, startedMs: performance.now()}
    const understood = toOriginForm(request)
    const admitted = options.guard(request, Date.now())
    const target = admitted.target
    const exchange = new Exchange(
      at,
      {request, response},
      {route: routeOf(request.method, pathOf(target)), target},
    )
    if (options.startTrace && exchange.route.kind !== 'own')
      exchange.trace = options.startTrace({
        traceparent: request.header('traceparent'),
        tracestate: request.header('tracestate'),
      })
    running.set(id, exchange)
    response.once('close', () => running.delete(id))
    if (state.draining) response.closes = true
    if (!understood) {
      exchange.problem({status: 400, message: 'the URL that is asked for has no usable host'})
      options.ended(exchange)
      return
    }
    const headers = originHeaders(request, options.origin)
    if (headers === undefined) {
      // As Ollama says it: without a word.
      exchange.outcome = 'refused'
      exchange.reply(403, '', '')
      options.ended(exchange)
      return
    }
    exchange.extra.push(...headers)
    if (request.method === 'OPTIONS') {
      exchange.outcome = 'ok'
      exchange.head(204, PREFLIGHT)
      response.end()
      options.ended(exchange)
      return
    }
    if (admitted.kind === 'pending') void admitted.decided.then((now) => serve(exchange, now))
    else serveExchange(exchange, admitted, options, state)
  }
  const serve = (exchange: Exchange, admitted: Admitted | Refused) => {
    if (exchange.open) return serveExchange(exchange, admitted, options, state)
    // The client has left meanwhile, or was told that the gateway ends; nothing tells so a second time.
    exchange.outcome ??= 'cancelled'
    options.ended(exchange)
  }
  const listener = await openListener({
    host: options.host,
    port: options.port,
    tls,
    maxHeadBytes: MAX_HEADER_BYTES,
    maxHeaders: MAX_HEADERS,
    maxConnections: limits.maxConnections,
    headersTimeoutMs: limits.headersTimeoutMs,
    keepAliveMs: KEEP_ALIVE_MS,
    onRequest,
  })
  const stalls = watchStalls(running, limits.clientStallMs)
  const {port} = listener
  const shown = options.host.includes(':') ? `[${options.host}]` : options.host
  return {
    url: `${tls ? 'https' : 'http'}://${shown}:${port}`,
    port,
    async drain(deadlineMs) {
      state.draining = true
      // What runs ends its connection with its answer.
      for (const {response} of running.values()) response.closes = true
      const closed = listener.drain()
      await within(closed, deadlineMs)
      if (running.size > 0) {
        options.hub.shutDown(SHUT_DOWN)
        for (const exchange of running)
          if (exchange.response.headersSent) exchange.breakOff(SHUT_DOWN.begun)
          else exchange.problem(SHUT_DOWN.unbegun)
        await within(closed, LAST_WORDS_MS)
      }
      listener.destroy()
    },
    async close() {
      stalls.close()
      listener.destroy()
    },
  }
}

/** The path of a target, without its query. */
function pathOf(target: string): string {
  const query = target.indexOf('?')
  return query < 0 ? target : target.slice(0, query)
}
