import type {Readable} from 'node:stream'
import type {Endpoint} from './endpoint.ts'
import {type Phase, replyError, strange, transportError, waitedTooLong} from './errors.ts'
import {httpTransport} from './http-transport.ts'

/** One HTTP request to a node. A timeout of 0 or none means: as long as it takes. */
export interface WireRequest {
  readonly method: 'GET' | 'POST' | 'HEAD' | 'DELETE' | 'PUT'
  /** Begins with `/`; joined below the endpoint's own path. */
  readonly path: string
  /** A stream needs its `content-length` among the headers. */
  readonly body?: string | Uint8Array | Readable
  readonly headers?: Readonly<Record<string, string>>
  readonly signal: AbortSignal
  /** Until the connection stands. Default 10,000. */
  readonly connectTimeoutMs?: number
  /** From then until the response's head. Ollama sends it with the first token, so queueing and loading count. */
  readonly headersTimeoutMs?: number
  /** Longest pause while the body is read; time in which nobody reads does not count. */
  readonly idleTimeoutMs?: number
}

/** The head of a response, and its body as it arrives. */
export interface WireResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  /** Can be read once. Leaving the loop early ends the exchange: the node sees the connection close. */
  readonly body: AsyncIterable<Uint8Array>
  /** Ends the exchange now; does nothing after the body's end. */
  abort(): void
}

/** What a transport hands back once the head is there. */
export interface Opened {
  readonly status: number
  readonly headers: WireResponse['headers']
  readonly body: AsyncIterable<Uint8Array>
  /** Frees the connection. */
  readonly close: () => void
}

/** A way to send a request. It ends the exchange when `signal` aborts and calls `connected` on time. */
export type Transport = (
  request: WireRequest,
  signal: AbortSignal,
  connected: () => void,
) => Promise<Opened>

const CONNECT_MS = 10_000
const MAX_ERROR_BYTES = 64 * 1024

/**
 * Sends a request and resolves with the response's head, whatever its status. Throws the signal's own
 * reason when aborted, TIMEOUT or NODE_UNREACHABLE otherwise; both carry `details.phase` (`connect`,
 * `headers`, `body`), NODE_UNREACHABLE also `details.reason` (`refused`, `reset`, ...). The body's
 * iteration throws the same way.
 */
export async function openRequest(endpoint: Endpoint, request: WireRequest): Promise<WireResponse> {
  request.signal.throwIfAborted()
  const watch = new Watch(request)
  try {
    const send = await transportFor(endpoint)
    watch.enter('connect', request.connectTimeoutMs ?? CONNECT_MS)
    const opened = await send(request, watch.signal, () =>
      watch.enter('headers', request.headersTimeoutMs),
    )
    watch.enter('body', 0)
    return {
      status: opened.status,
      headers: opened.headers,
      body: bodyOf(opened, watch, request.idleTimeoutMs),
      abort() {
        opened.close()
        watch.end()
      },
    }
  } catch (error) {
    watch.end()
    throw watch.translate(error)
  }
}

/** The reason why an exchange ends early, and how far it had come. */
class Watch {
  readonly #abort = new AbortController()
  readonly #outer: AbortSignal
  #phase: Phase = 'connect'
  #timer: NodeJS.Timeout | undefined

  constructor(request: WireRequest) {
    this.#outer = request.signal
    this.#outer.addEventListener('abort', this.#stop, {once: true})
  }

  get signal(): AbortSignal {
    return this.#abort.signal
  }

  readonly #stop = () => this.#abort.abort(this.#outer.reason)

  /** A new phase begins, and with it its deadline. */
  enter(phase: Phase, timeoutMs: number | undefined): void {
    clearTimeout(this.#timer)
    this.#phase = phase
    if (timeoutMs)
      this.#timer = setTimeout(() => this.#abort.abort(waitedTooLong(phase, timeoutMs)), timeoutMs)
  }

  end(): void {
    clearTimeout(this.#timer)
    this.#outer.removeEventListener('abort', this.#stop)
  }

  translate(error: unknown): unknown {
    return this.#abort.signal.aborted
      ? this.#abort.signal.reason
      : transportError(error, this.#phase)
  }
}

async function* bodyOf(opened: Opened, watch: Watch, idleMs?: number): AsyncGenerator<Uint8Array> {
  const chunks: AsyncIterator<Uint8Array> = opened.body[Symbol.asyncIterator]()
  try {
    for (;;) {
      watch.enter('body', idleMs)
      const next = await chunks.next()
      watch.enter('body', 0)
      if (next.done) return
      yield next.value
    }
  } catch (error) {
    throw watch.translate(error)
  } finally {
    opened.close()
    watch.end()
  }
}

async function transportFor(endpoint: Endpoint): Promise<Transport> {
  if (endpoint.kind === 'upstream') return endpoint.transport
  if (endpoint.kind === 'stream') {
    const {streamTransport} = await import('./stream-transport.ts')
    return streamTransport(endpoint)
  }
  return httpTransport(endpoint)
}

/** Reads a body as text; throws NODE_ERROR beyond `maxBytes`. */
async function readText(response: WireResponse, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response.body) {
    bytes += chunk.length
    if (bytes > maxBytes) throw strange(`more than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

/** Reads a JSON object; NODE_ERROR for any other status than 2xx, with the node's own words. */
export async function readJson(
  response: WireResponse,
  maxBytes: number,
): Promise<Record<string, unknown>> {
  await expectOk(response)
  const text = await readText(response, maxBytes)
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>
  } catch (error) {
    throw strange(text.slice(0, 80), error)
  }
  throw strange(text.slice(0, 80))
}

/** Passes a response of status 2xx; of any other, reads the node's words and throws them as NODE_ERROR. */
export async function expectOk(response: WireResponse): Promise<void> {
  if (response.status >= 200 && response.status < 300) return
  let text = ''
  for await (const chunk of response.body) {
    text += Buffer.from(chunk).toString()
    if (text.length > MAX_ERROR_BYTES) break
  }
  throw replyError(response.status, text)
}
