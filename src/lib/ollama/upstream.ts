import {Readable} from 'node:stream'
import {type Dispatcher, errors, Pool} from 'undici'
import type {Endpoint, NodeEndpoint} from './endpoint.ts'
import {type Phase, transportError, waitedTooLong} from './errors.ts'
import {Inbox} from './inbox.ts'
import {type Address, CONNECT_MS} from './plain/connection.ts'
import {Connections, KEEP_ALIVE_MS} from './plain/connections.ts'
import type {Opened, Transport, WireRequest} from './request.ts'

/** A request as the gateway passes it on: nothing of it is looked at here. */
export interface UpstreamRequest {
  readonly method: string
  /** With the query; joined below the endpoint's own path. */
  readonly path: string
  /** Name, value, name, value... without Host, Content-Length and what belongs to one connection. */
  readonly headers: readonly string[]
  /** Several pieces follow one another. */
  readonly body: Uint8Array | readonly Uint8Array[] | Readable | null
}

/** Holds back, resumes or ends one exchange. */
export interface UpstreamControl {
  pause(): void
  resume(): void
  /** The node sees the connection close; nothing is called any more. */
  abort(): void
}

/** What becomes of a request; `fail` or `end` comes last, and once. */
export interface UpstreamHandler {
  /** The request has a connection, or waits for one; comes before anything else, if it comes at all. */
  started(control: UpstreamControl): void
  /** Name, value, name, value... as the node has sent them. */
  head(status: number, headers: readonly string[]): void
  data(chunk: Buffer): void
  /** `taken`: nothing of the request is still to be written, so that its body may be changed. */
  end(taken: boolean): void
  /** NODE_UNREACHABLE or TIMEOUT, with `details.phase`; errors of ours from the endpoint as they are. */
  fail(error: unknown): void
}

/** The connections to one node's Ollama, kept between requests; as many as there are requests at once. */
export interface Upstream {
  send(request: UpstreamRequest, handler: UpstreamHandler): void
  /** The same connections for the calls of client.ts and read-node.ts. */
  readonly endpoint: Endpoint
  /** Takes nothing new; resolves when what is under way has ended. */
  retire(): Promise<void>
  /** Ends what is under way. */
  close(): Promise<void>
}

/** Over SSH it may have to log in first. */
const OPEN_STREAM_MS = 15_000

/** Opens no connection yet. Without TLS and SSH in between the connections are our own, elsewhere undici's. */
export function openUpstream(endpoint: NodeEndpoint): Upstream {
  const place = placeOf(endpoint)
  const address = addressOf(endpoint)
  const {send, retire, close} = address ? overPlain(place, address) : overPool(place)
  return {send, endpoint: {kind: 'upstream', transport: transportOver(send)}, retire, close}
}

type Sender = Pick<Upstream, 'send' | 'retire' | 'close'>

/** Streamed bodies (uploads, of which time does not matter) go by undici, made when there is one. */
function overPlain(place: Place, address: Address): Sender {
  const {origin, prefix, extra} = place
  if (extra.some((it) => /[\r\n\0]/.test(it))) throw new TypeError('a header must be one line')
  const connections = new Connections(address)
  let uploads: Sender | undefined
  let closed = false
  const fixed = `Host: ${new URL(origin).host}\r\n${linesOf(extra)}`
  return {
    send(request, handler) {
      const {method, path, headers, body} = request
      if (body instanceof Readable) {
        uploads ??= overPool(place)
        if (closed) void uploads.close()
        return uploads.send(request, handler)
      }
      if (/[^!-~\x80-\xff]/.test(path)) throw new TypeError('a path has characters that no URL has')
      const bodyless = method === 'HEAD'
      const pieces = body === null ? [] : Array.isArray(body) ? body : [body as Uint8Array]
      const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0)
      const length = body || !(bodyless || method === 'GET') ? `Content-Length: ${bytes}\r\n` : ''
      const head = `${method} ${prefix}${path} HTTP/1.1\r\n${fixed}${linesOf(headers)}${length}\r\n`
      connections.send({head, pieces, bytes, bodyless}, handler)
    },
    async retire() {
      closed = true
      await Promise.all([connections.retire(), uploads?.retire()])
    },
    async close() {
      closed = true
      await Promise.all([connections.close(), uploads?.close()])
    },
  }
}

function linesOf(headers: readonly string[]): string {
  let lines = ''
  for (let at = 0; at + 1 < headers.length; at += 2)
    lines += `${headers[at]}: ${headers[at + 1]}\r\n`
  return lines
}

/** Where a socket can be opened to; undefined where there is TLS or SSH in between. */
function addressOf(endpoint: NodeEndpoint): Address | undefined {
  if (endpoint.kind === 'socket') return {path: endpoint.path}
  if (endpoint.kind !== 'url') return undefined
  const {protocol, hostname, port} = new URL(endpoint.url)
  if (protocol !== 'http:') return undefined
  return {host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 80)}
}

function overPool({origin, prefix, extra, connect}: Place): Sender {
  const pool = new Pool(origin, {
    // The caller keeps the time: undici's own limits would cut cold loads.
    headersTimeout: 0,
    bodyTimeout: 0,
    keepAliveTimeout: KEEP_ALIVE_MS,
    pipelining: 1,
    connections: null,
    connect,
  })
  return {
    send({method, path, headers, body}, handler) {
      const options = {
        method: method as Dispatcher.HttpMethod,
        path: prefix + path,
        headers: extra.length > 0 ? [...headers, ...extra] : (headers as string[]),
        body: Array.isArray(body) ? Buffer.concat(body) : (body as Uint8Array | Readable | null),
      }
      pool.dispatch(options, new Relay(handler))
    },
    retire: () => pool.close().catch(() => {}),
    close: () => pool.destroy().catch(() => {}),
  }
}

interface Place {
  readonly origin: string
  readonly prefix: string
  readonly extra: readonly string[]
  readonly connect: NonNullable<Pool.Options['connect']>
}

function placeOf(endpoint: NodeEndpoint): Place {
  if (endpoint.kind === 'url') {
    const url = new URL(endpoint.url)
    return {
      origin: url.origin,
      prefix: url.pathname.replace(/\/+$/, ''),
      extra: Object.entries(endpoint.headers).flat(),
      connect: {
        timeout: CONNECT_MS,
        noDelay: true,
        ...(endpoint.ca === undefined ? {} : {ca: endpoint.ca}),
      },
    }
  }
  // Ollama on a loopback address refuses foreign host names.
  const place = {origin: 'http://localhost', prefix: '', extra: []}
  if (endpoint.kind === 'socket')
    return {...place, connect: {socketPath: endpoint.path, timeout: CONNECT_MS}}
  return {
    ...place,
    connect: (_, done) => {
      endpoint.open(AbortSignal.timeout(OPEN_STREAM_MS)).then(
        // Typed as net.Socket by undici, which uses only what every Duplex has.
        (stream) => done(null, stream as never),
        (error: Error) => done(error, null),
      )
    },
  }
}

/** Between undici and us; it says how far a failed exchange had come. */
class Relay implements Dispatcher.DispatchHandler {
  readonly #to: UpstreamHandler
  #phase: Phase = 'connect'
  #over = false

  constructor(to: UpstreamHandler) {
    this.#to = to
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#phase = 'headers'
    this.#to.started({
      pause: () => controller.pause(),
      resume: () => controller.resume(),
      abort: () => {
        this.#over = true
        controller.abort(new errors.RequestAbortedError())
      },
    })
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    if (status < 200 || this.#over) return
    this.#phase = 'body'
    const raw = (controller.rawHeaders ?? []) as readonly Buffer[]
    this.#to.head(
      status,
      raw.map((it) => it.toString('latin1')),
    )
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    if (!this.#over) this.#to.data(chunk)
  }

  onResponseEnd(): void {
    if (this.#over) return
    this.#over = true
    // What is left of the request, undici does not say.
    this.#to.end(false)
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    if (this.#over) return
    this.#over = true
    const late = error instanceof errors.ConnectTimeoutError
    this.#to.fail(late ? waitedTooLong('connect', CONNECT_MS) : transportError(error, this.#phase))
  }
}

/** For calls that read an answer themselves. */
const CLOSED = new Error('the exchange was ended')

function transportOver(send: Upstream['send']): Transport {
  return (request, signal, connected) =>
    new Promise<Opened>((resolve, reject) => {
      let control: UpstreamControl | undefined
      const body = new Inbox(() => control?.resume())
      const stop = () => {
        control?.abort()
        reject(signal.reason)
        body.drop(signal.reason)
      }
      signal.addEventListener('abort', stop, {once: true})
      const over = () => signal.removeEventListener('abort', stop)
      send(plain(request), {
        started(given) {
          control = given
          if (signal.aborted) stop()
          else connected()
        },
        head(status, raw) {
          const close = () => {
            control?.abort()
            body.drop(CLOSED)
          }
          resolve({status, headers: headersOf(raw), body, close})
        },
        data: (chunk) => void (body.push(chunk) || control?.pause()),
        end() {
          over()
          body.end()
        },
        fail(error) {
          over()
          reject(error)
          body.fail(error)
        },
      })
    })
}

function plain({method, path, headers = {}, body}: WireRequest): UpstreamRequest {
  const type = body === undefined ? {} : {'content-type': 'application/json'}
  return {
    method,
    path,
    headers: Object.entries({...type, ...headers}).flat(),
    body: typeof body === 'string' ? Buffer.from(body) : (body ?? null),
  }
}

function headersOf(raw: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {}
  for (let at = 0; at + 1 < raw.length; at += 2)
    headers[`${raw[at]}`.toLowerCase()] = `${raw[at + 1]}`
  return headers
}
