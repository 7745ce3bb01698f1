import {createServer, type IncomingMessage, type Server, type ServerResponse} from 'node:http'
import {createServer as createTlsServer} from 'node:https'
import type {AddressInfo} from 'node:net'
import {hostname} from 'node:os'
import {parseArgs} from 'node:util'
import {closeServer, listen, startControl} from './fake-ollama/control.ts'
import {ApiError, head, isAllowed, sendJson, sendText, sleep} from './fake-ollama/http.ts'
import {type ModelStore, memoryStore, modelOf} from './fake-ollama/model.ts'
import {type FakeOptions, type Fault, type Settings, settingsOf} from './fake-ollama/options.ts'
import {INFERENCE, methodsOf} from './fake-ollama/routes.ts'
import {Scheduler} from './fake-ollama/scheduler.ts'
import {errorBody} from './fake-ollama/voice.ts'

/** A request as the node saw it. `cancelled`: the client left before the answer's end. */
export interface SeenRequest {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, unknown>>
  body: Record<string, unknown> | undefined
  outcome: 'open' | 'answered' | 'cancelled' | 'struck'
}

/** A stand-in for an Ollama server: test equipment that speaks as the real one does on the wire. */
export interface FakeOllama {
  readonly url: string
  readonly port: number
  /** Every request so far, oldest first; entries change as the answer goes on. */
  readonly requests: readonly SeenRequest[]
  /** Requests that the client gave up. */
  readonly cancelled: number
  /** Changes the script while it runs; resolves once it holds (`refuse` has closed the port). `models` replaces all. */
  set(patch: Partial<Settings>): Promise<void>
  close(): Promise<void>
}

const STATUS_TEXT: Readonly<Record<number, string>> = {
  404: "model 'tiny' not found",
  429: 'too many requests',
  500: 'llama-server process no longer running: unknown ',
  503: 'server busy, please try again.  maximum pending requests exceeded',
}

/** Starts a node on loopback, on any free port unless one is given. Close it when done. */
export async function startFakeOllama(
  options: FakeOptions = {},
  keepIn?: ModelStore,
): Promise<FakeOllama> {
  const node = new Node(options, keepIn)
  await node.listen()
  return node
}

class Node implements FakeOllama {
  readonly requests: SeenRequest[] = []
  cancelled = 0
  port = 0
  readonly #host: string
  readonly #tls: FakeOptions['tls']
  readonly #scheduler: Scheduler
  readonly #closing = new AbortController()
  #settings: Settings
  #store: ModelStore
  #server: Server
  #left: number | undefined

  constructor(options: FakeOptions, keepIn?: ModelStore) {
    this.#host = options.host ?? '127.0.0.1'
    this.#tls = options.tls
    this.port = options.port ?? 0
    this.#settings = settingsOf(options)
    this.#left = this.#settings.fault?.times
    this.#store = keepIn ?? memoryStore(this.#settings.models.map((m) => modelOf(m)))
    this.#scheduler = new Scheduler(() => this.#settings)
    this.#server = this.#make()
  }

  get url(): string {
    const host = this.#host === '0.0.0.0' ? '127.0.0.1' : this.#host
    return `${this.#tls ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${this.port}`
  }

  async listen(): Promise<void> {
    await listen(this.#server, this.port, this.#host)
    this.port = (this.#server.address() as AddressInfo).port
    if (this.#settings.fault?.kind === 'refuse') await closeServer(this.#server)
  }

  async set(patch: Partial<Settings>): Promise<void> {
    const refused = this.#settings.fault?.kind === 'refuse'
    this.#settings = {...this.#settings, ...patch}
    if (patch.models) this.#store = memoryStore(patch.models.map((m) => modelOf(m)))
    if (!('fault' in patch)) return
    this.#left = patch.fault?.times
    const refuse = patch.fault?.kind === 'refuse'
    if (refuse && !refused) await closeServer(this.#server)
    if (!refuse && refused) {
      this.#server = this.#make()
      await this.listen()
    }
  }

  async close(): Promise<void> {
    this.#closing.abort()
    this.#scheduler.close()
    await closeServer(this.#server)
  }

  #make(): Server {
    const onRequest = (req: IncomingMessage, res: ServerResponse): void => {
      void this.#serve(req, res)
    }
    const server = this.#tls ? createTlsServer(this.#tls, onRequest) : createServer(onRequest)
    // As Go's server: an idle connection is kept for ever, and no request has a deadline.
    server.keepAliveTimeout = 0
    server.requestTimeout = 0
    return server
  }

  async #serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const path = (req.url ?? '/').split('?')[0] ?? '/'
    const seen: SeenRequest = {
      method: req.method ?? '',
      path,
      headers: req.headers,
      body: undefined,
      outcome: 'open',
    }
    this.requests.push(seen)
    const gone = new AbortController()
    const beganAt = performance.now()
    const fault = this.#strike(path)
    const cuts = fault?.kind === 'cut' || fault?.kind === 'reset'
    res.once('close', () => {
      seen.outcome = res.writableFinished ? 'answered' : cuts ? 'struck' : 'cancelled'
      if (seen.outcome === 'cancelled') this.cancelled++
      gone.abort()
    })
    const signal = AbortSignal.any([gone.signal, this.#closing.signal])
    try {
      if (!isAllowed(req, this.#host, hostname())) return void head(res, 403).end()
      if (this.#lacksHeader(req)) throw new ApiError(401, 'unauthorized')
      if (fault && (await this.#before(fault, res, {path, signal}))) return
      await this.#route(path, {req, res, signal, beganAt, fault, seen})
    } catch (error) {
      this.#fail(res, path, error)
    }
  }

  async #route(
    path: string,
    at: {
      readonly req: IncomingMessage
      readonly res: ServerResponse
      readonly signal: AbortSignal
      readonly beganAt: number
      readonly fault: Fault | undefined
      readonly seen: SeenRequest
    },
  ): Promise<void> {
    const {req, res, signal, beganAt, fault, seen} = at
    const methods = methodsOf(path)
    if (!methods) return sendText(res, 404, '404 page not found')
    const route = methods[req.method ?? '']
    if (!route) {
      res.setHeader('Allow', Object.keys(methods).join(', '))
      return sendText(res, 405, '405 method not allowed')
    }
    await route({
      req,
      res,
      path,
      fault,
      signal,
      beganAt,
      settings: this.#settings,
      store: this.#store,
      scheduler: this.#scheduler,
      onBody: (body) => {
        seen.body = body
      },
    })
  }

  /** The fault that strikes this request, counted down. */
  #strike(path: string): Fault | undefined {
    const fault = this.#settings.fault
    if (!fault || this.#left === 0) return undefined
    const scope =
      fault.on ?? (fault.kind === 'hang' || fault.kind === 'reset' ? 'all' : 'inference')
    if (scope === 'inference' && !INFERENCE.has(path)) return undefined
    if (this.#left !== undefined) this.#left--
    return fault
  }

  /** True if the fault has answered, or seen to it that nobody will. */
  async #before(
    fault: Fault,
    res: ServerResponse,
    {path, signal}: {readonly path: string; readonly signal: AbortSignal},
  ): Promise<boolean> {
    if (fault.kind === 'reset') {
      res.socket?.resetAndDestroy()
      return true
    }
    if (fault.kind === 'status') {
      const error = fault.error ?? STATUS_TEXT[fault.status] ?? `status ${fault.status}`
      sendJson(res, fault.status, errorBody(path, fault.status, error))
      return true
    }
    if (fault.kind === 'hang') {
      await new Promise<void>((resolve) => {
        signal.addEventListener('abort', () => resolve(), {once: true})
      })
      return true
    }
    if (fault.kind === 'slow-headers') await sleep(fault.ms, signal)
    return false
  }

  #lacksHeader(req: IncomingMessage): boolean {
    const wanted = Object.entries(this.#settings.requireHeaders)
    return wanted.some(([name, value]) => req.headers[name.toLowerCase()] !== value)
  }

  #fail(res: ServerResponse, path: string, error: unknown): void {
    if (res.destroyed || res.socket?.destroyed) return
    const status = error instanceof ApiError ? error.status : 500
    const message = error instanceof Error ? error.message : String(error)
    if (!res.headersSent) sendJson(res, status, errorBody(path, status, message))
    else res.end(`${JSON.stringify({error: message})}\n`)
  }
}

/** As a process: prints `{"port", "controlPort", "url"}` as one line and serves until it is killed. */
async function main(): Promise<void> {
  const {values} = parseArgs({
    options: {
      port: {type: 'string', default: '0'},
      'control-port': {type: 'string', default: '0'},
      host: {type: 'string', default: '127.0.0.1'},
      /** Settings as JSON. */
      settings: {type: 'string', default: '{}'},
    },
  })
  const settings = JSON.parse(values.settings) as Partial<Settings>
  const node = await startFakeOllama({...settings, host: values.host, port: Number(values.port)})
  const control = await startControl(node, Number(values['control-port']))
  console.log(JSON.stringify({port: node.port, controlPort: control.port, url: node.url}))
}

if (import.meta.main) await main()
