import type {Readable} from 'node:stream'
import type {Upstream, UpstreamControl} from '../ollama/upstream.ts'
import {type Exchange, outcomeOf} from './exchange.ts'
import {isStream, passedHeaders} from './headers.ts'

/** What is asked of a node, past the queue. */
export interface PassRequest {
  readonly method: string
  readonly target: string
  readonly headers: readonly string[]
  readonly body: Buffer | Readable | null
  /** Done before the client is told that the answer has ended. Must not reject. */
  readonly beforeEnd?: (status: number) => Promise<void>
}

/** How it went; after `failed` nothing has reached the client, so another node may be asked. */
export type Passed =
  | {readonly kind: 'passed'; readonly status: number}
  | {readonly kind: 'failed'; readonly error: unknown}

/** Passes a node's answer on as it comes, whatever its status, and notes how it ended. Ends the exchange when the client leaves. */
export function pass(
  exchange: Exchange,
  upstream: Upstream,
  request: PassRequest,
): Promise<Passed> {
  const {response} = exchange
  return new Promise((resolve) => {
    let control: UpstreamControl | undefined
    let status = 0
    const left = () => {
      control?.abort()
      resolve({kind: 'passed', status})
    }
    response.once('close', left)
    upstream.send(
      {method: request.method, path: request.target, headers: request.headers, body: request.body},
      {
        started(given) {
          control = given
        },
        head(code, raw) {
          status = code
          exchange.firstByteMs ??= performance.now() - exchange.startedMs
          const passed = passedHeaders(raw)
          exchange.streams = isStream(passed)
          exchange.head(code, [...passed, ...lengthOf(raw)])
          // At once, also where the body is long in coming: Ollama waits 30 s for a file's place, which is in the head.
          response.write('')
        },
        data(chunk) {
          // It was broken off; that the client is gone comes in a moment.
          if (!exchange.open) return
          exchange.bytesOut += chunk.length
          if (response.write(chunk)) return
          control?.pause()
          response.once('drain', () => control?.resume())
        },
        end() {
          const finish = () => {
            response.removeListener('close', left)
            // Before the end, which may close the response at once.
            exchange.outcome ??= outcomeOf(status)
            response.end()
            resolve({kind: 'passed', status})
          }
          if (request.beforeEnd) void request.beforeEnd(status).then(finish)
          else finish()
        },
        fail(error) {
          response.removeListener('close', left)
          if (status === 0) resolve({kind: 'failed', error})
          else {
            exchange.outcome = 'failed'
            // Its length or its last chunk is missing: the client sees that it is not whole.
            response.destroy()
            resolve({kind: 'passed', status: 502})
          }
        },
      },
    )
  })
}

function lengthOf(raw: readonly string[]): string[] {
  for (let at = 0; at + 1 < raw.length; at += 2)
    if (raw[at]?.toLowerCase() === 'content-length') return ['Content-Length', `${raw[at + 1]}`]
  return []
}

/** A whole answer of a node. */
export interface Collected {
  readonly status: number
  readonly headers: readonly string[]
  readonly body: Buffer
}

const MAX_BYTES = 1024 * 1024

/** Asks a node and reads its (small) answer. Throws what the upstream fails with; the signal's reason when aborted. */
export function collect(
  upstream: Upstream,
  request: PassRequest,
  signal: AbortSignal,
): Promise<Collected> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let bytes = 0
    let head: Pick<Collected, 'status' | 'headers'> = {status: 0, headers: []}
    let control: UpstreamControl | undefined
    const stop = () => {
      control?.abort()
      reject(signal.reason)
    }
    if (signal.aborted) return stop()
    signal.addEventListener('abort', stop, {once: true})
    const over = () => signal.removeEventListener('abort', stop)
    upstream.send(
      {method: request.method, path: request.target, headers: request.headers, body: request.body},
      {
        started(given) {
          control = given
        },
        head(status, raw) {
          head = {status, headers: passedHeaders(raw)}
        },
        data(chunk) {
          bytes += chunk.length
          if (bytes <= MAX_BYTES) chunks.push(chunk)
        },
        end() {
          over()
          resolve({...head, body: Buffer.concat(chunks)})
        },
        fail(error) {
          over()
          reject(error)
        },
      },
    )
  })
}
