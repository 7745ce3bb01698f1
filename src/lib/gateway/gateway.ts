import {createServer, type IncomingMessage, type Server, type ServerResponse} from 'node:http'
import {createServer as createTlsServer} from 'node:https'
import type {AddressInfo} from 'node:net'
import {IdTable} from '../cluster/id-table.ts'
import {messageOf, OllamaxError} from '../errors.ts'
import type {Tracing} from '../trace/tracing.ts'
import type {BodyLimits} from './body/read.ts'
import {Exchange} from './exchange.ts'
import type {Admitted, Refused} from './guard.ts'
import {type OriginPolicy, originHeaders, PREFLIGHT} from './origin.ts'
import {routeOf} from './route.ts'
import {type Floor, serveExchange} from './serve-exchange.ts'
import {watchStalls} from './stalls.ts'

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
/** How often Node looks for heads that are late. */
const CHECK_MS = 2000

/** Starts to listen. BAD_INPUT if the address cannot be had. */
export async function openGateway(options: GatewayOptions): Promise<Gateway> {
  const {limits, tls} = options
  const running = new IdTable<Exchange>()
  const state = {draining: false}
  let count = 0
  const instance = Math.floor(Math.random() * 36 ** 5)
    .toString(36)
    .padStart(5, '0')
  const onRequest = (request: IncomingMessage, response: ServerResponse) => {
    const id = ++count
    const at = {id, requestId: `${instance}-${id.toString(36)}`, startedMs: performance.now()}
    const admitted = options.guard(request, Date.now())
    const target = admitted.target
    const exchange = new Exchange(
      at,
      {request, response},
      {route: routeOf(request.method ?? 'GET', pathOf(target)), target},
    )
    if (options.startTrace && exchange.route.kind !== 'own')
      exchange.trace = options.startTrace(request.headers)
    running.set(id, exchange)
    response.once('close', () => {
      running.delete(id)
      if (state.draining && running.size === 0) server.closeAllConnections()
    })
    if (state.draining) response.setHeader('Connection', 'close')
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
    // The client has left meanwhile, and nothing tells so a second time.
    exchange.outcome = 'cancelled'
    options.ended(exchange)
  }
  const common = {
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: limits.headersTimeoutMs,
    // Bodies have a limit of their own: an upload of a model takes as long as it takes.
    requestTimeout: 0,
    keepAliveTimeout: KEEP_ALIVE_MS,
    connectionsCheckingInterval: CHECK_MS,
    noDelay: true,
  }
  const server: Server = tls
    ? tlsServer({...common, ...tls}, onRequest)
    : createServer(common, onRequest)
  server.maxHeadersCount = MAX_HEADERS
  server.maxConnections = limits.maxConnections
  await listen(server, options)
  const stalls = watchStalls(running, limits.clientStallMs)
  const {port} = server.address() as AddressInfo
  const shown = options.host.includes(':') ? `[${options.host}]` : options.host
  return {
    url: `${tls ? 'https' : 'http'}://${shown}:${port}`,
    port,
    async drain(deadlineMs) {
      state.draining = true
      const closed = new Promise<void>((resolve) => void server.close(() => resolve()))
      server.closeIdleConnections()
      let timer: NodeJS.Timeout | undefined
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, deadlineMs)
      })
      await Promise.race([closed, late])
      clearTimeout(timer)
      server.closeAllConnections()
    },
    async close() {
      stalls.close()
      server.close()
      server.closeAllConnections()
    },
  }
}

/** BAD_INPUT for a certificate that is none, or is not of that key. */
function tlsServer(...words: Parameters<typeof createTlsServer>): Server {
  try {
    return createTlsServer(...words)
  } catch (error) {
    throw new OllamaxError(
      'BAD_INPUT',
      `the certificate or its key cannot be used: ${messageOf(error)}`,
      {cause: error, suggestions: ['both are PEM files; the certificate must be of that key']},
    )
  }
}

/** The path of a target, without its query. */
function pathOf(target: string): string {
  const query = target.indexOf('?')
  return query < 0 ? target : target.slice(0, query)
}

function listen(server: Server, {host, port}: GatewayOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) =>
      reject(
        new OllamaxError('BAD_INPUT', `cannot listen on ${host}:${port}: ${error.message}`, {
          suggestions: ['choose another one: --listen HOST:PORT'],
          cause: error,
        }),
      ),
    )
    server.listen({host, port, backlog: 4096}, resolve)
  })
}
