import type {PolicyName} from '../../balancer/policies.ts'
import {Gathered} from '../../batch/gathered.ts'
import {GatheredEvents} from '../../batch/gathered-events.ts'
import type {BatchRequest} from '../../batch/parse-line.ts'
import {OllamaxError} from '../../errors.ts'
import type {Endpoint} from '../../ollama/endpoint.ts'
import {wordsOf} from '../../ollama/errors.ts'
import {BadLine, JsonLines} from '../../ollama/ndjson.ts'
import {openRequest, type WireResponse} from '../../ollama/request.ts'

/** What a door said of one request. */
export interface Reply {
  readonly status: number
  /** Absent with an error. */
  readonly answer?: Readonly<Record<string, unknown>>
  /** Of an error, in the words of whoever refused it. */
  readonly words?: string
  readonly retryAfterMs?: number
  readonly node?: string
  readonly requestId?: string
  readonly queueMs?: number
}

/** Vectors of many texts are the longest. */
const MAX_ANSWER_BYTES = 256 * 1024 * 1024
const MAX_ERROR_BYTES = 64 * 1024
const CONNECT_MS = 10_000

/**
 * Sends one request and reads its answer to the end. Throws the signal's reason, TIMEOUT, NODE_UNREACHABLE (with
 * `details.phase`), and NODE_ERROR for an answer that ended before its end or is none.
 */
export async function askOnce(
  endpoint: Endpoint,
  {path, body, answer}: BatchRequest,
  options: {readonly signal: AbortSignal; readonly policy: PolicyName | undefined},
): Promise<Reply> {
  const {signal, policy} = options
  const response = await openRequest(endpoint, {
    method: 'POST',
    path,
    body: JSON.stringify(body),
    headers: {
      'x-ollamax-priority': 'low',
      ...(policy === undefined ? {} : {'x-ollamax-policy': policy}),
    },
    signal,
    connectTimeoutMs: CONNECT_MS,
  })
  const said = heard(response)
  if (response.status >= 300)
    return {...said, words: wordsOf(await textOf(response, MAX_ERROR_BYTES))}
  return {...said, answer: await READERS[answer](response)}
}

const READERS: Readonly<
  Record<BatchRequest['answer'], (response: WireResponse) => Promise<Record<string, unknown>>>
> = {lines: gather, events: gatherEvents, whole: objectOf}

function heard({status, headers}: WireResponse): Reply {
  const text = (name: string) => {
    const value = headers[name]
    return typeof value === 'string' && value !== '' ? value : undefined
  }
  const number = (name: string) => {
    const value = Number(text(name) ?? Number.NaN)
    return Number.isFinite(value) && value >= 0 ? value : undefined
  }
  const node = text('x-ollamax-node')
  const requestId = text('x-ollamax-request-id')
  const queueMs = number('x-ollamax-queue-ms')
  const afterS = number('retry-after')
  return {
    status,
    ...(node === undefined ? {} : {node}),
    ...(requestId === undefined ? {} : {requestId}),
    ...(queueMs === undefined ? {} : {queueMs}),
    ...(afterS === undefined ? {} : {retryAfterMs: afterS * 1000}),
  }
}

async function gather(response: WireResponse): Promise<Record<string, unknown>> {
  const gathered = new Gathered()
  const split = new JsonLines()
  try {
    for await (const chunk of bounded(response))
      for (const piece of split.push(chunk))
        if (gathered.push(expectGood(piece))) return gathered.whole()
  } catch (error) {
    throw error instanceof BadLine ? unusable(error.message) : error
  }
  throw unusable(CUT)
}

async function gatherEvents(response: WireResponse): Promise<Record<string, unknown>> {
  const gathered = new GatheredEvents()
  const decoder = new TextDecoder()
  let held = ''
  for await (const chunk of bounded(response)) {
    const lines = (held + decoder.decode(chunk, {stream: true})).split(/\r?\n/)
    held = lines.pop() ?? ''
    for (const line of lines) {
      if (!line.startsWith('data:')) continue
      const data = line.slice('data:'.length).trim()
      if (data === '[DONE]') return gathered.whole()
      gathered.push(expectGood(objectIn(data)))
      if (gathered.ended) return gathered.whole()
    }
  }
  throw unusable(CUT)
}

const CUT = 'the answer stopped before its end'

async function* bounded({body}: WireResponse): AsyncGenerator<Uint8Array> {
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.length
    if (bytes > MAX_ANSWER_BYTES) throw unusable('the answer is too long')
    yield chunk
  }
}

function expectGood(piece: Record<string, unknown>): Record<string, unknown> {
  if (piece.error === undefined || piece.error === null) return piece
  throw unusable(wordsOf(JSON.stringify(piece)))
}

async function objectOf(response: WireResponse): Promise<Record<string, unknown>> {
  return objectIn(await textOf(response, MAX_ANSWER_BYTES))
}

function objectIn(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>
  } catch {
    // Said below.
  }
  throw unusable(`the answer is no JSON object: ${text.slice(0, 80)}`)
}

async function textOf({body}: WireResponse, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.length
    if (bytes > maxBytes) throw unusable('the answer is too long')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

const unusable = (words: string) => new OllamaxError('NODE_ERROR', words)
