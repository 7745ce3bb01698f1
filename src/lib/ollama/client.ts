import type {AnswerStats} from '../cluster/answer-stats.ts'
import {messageOf} from '../errors.ts'
import type {Endpoint} from './endpoint.ts'
import {endedEarly, lineError, strange, wordsOf} from './errors.ts'
import {BadLine, JsonLines} from './ndjson.ts'
import {expectOk, openRequest, readJson, type WireRequest} from './request.ts'
import type {
  AnswerChunk,
  ChatRequest,
  Embeddings,
  EmbedRequest,
  GenerateRequest,
  ModelShow,
  PullProgress,
} from './wire.ts'

/** How long each part of a call may take; nothing is limited that is not named. */
export type CallOptions = Pick<
  WireRequest,
  'signal' | 'connectTimeoutMs' | 'headersTimeoutMs' | 'idleTimeoutMs'
>

const MAX_JSON_BYTES = 32 * 1024 * 1024
const MAX_EMBED_BYTES = 256 * 1024 * 1024

/**
 * The calls of one node's Ollama. All throw the signal's reason, TIMEOUT, NODE_UNREACHABLE (see
 * `openRequest`) or NODE_ERROR with `details: {status?, words}` in the node's own words.
 */

/**
 * Starts an answer; resolves with the response's head, which comes with the first token. The stream
 * ends after the chunk with `done`; without one it throws STREAM_CUT, and NODE_ERROR at an error line.
 */
export function generate(
  endpoint: Endpoint,
  request: GenerateRequest,
  options: CallOptions,
): Promise<AsyncGenerator<AnswerChunk>> {
  return openAnswer(endpoint, '/api/generate', {request, options})
}

/** As `generate`, for a conversation. */
export function chat(
  endpoint: Endpoint,
  request: ChatRequest,
  options: CallOptions,
): Promise<AsyncGenerator<AnswerChunk>> {
  return openAnswer(endpoint, '/api/chat', {request, options})
}

/** Vectors of one or several texts, in their order. */
export async function embed(
  endpoint: Endpoint,
  request: EmbedRequest,
  options: CallOptions,
): Promise<Embeddings> {
  const response = await openRequest(endpoint, post('/api/embed', request, options))
  const reply = await readJson(response, MAX_EMBED_BYTES)
  const {embeddings} = reply
  const valid = Array.isArray(embeddings) && embeddings.every((vector) => Array.isArray(vector))
  if (!valid) throw strange('/api/embed without embeddings')
  return {embeddings: embeddings as number[][], stats: statsOf(reply)}
}

/** What a node knows about one of its models. */
export async function show(
  endpoint: Endpoint,
  model: string,
  options: CallOptions,
): Promise<ModelShow> {
  const raw = await readJson(
    await openRequest(endpoint, post('/api/show', {model}, options)),
    MAX_JSON_BYTES,
  )
  const text = (field: string) => (typeof raw[field] === 'string' ? raw[field] : '')
  const capabilities = Array.isArray(raw.capabilities) ? raw.capabilities.map(String) : []
  return {
    capabilities,
    template: text('template'),
    parameters: text('parameters'),
    modelfile: text('modelfile'),
    raw,
  }
}

/** Pulls a model; yields its progress lines and returns after `success`. Ending the loop ends the pull. */
export async function* pull(
  endpoint: Endpoint,
  request: {readonly model: string; readonly insecure?: boolean},
  options: CallOptions,
): AsyncGenerator<PullProgress> {
  let last = ''
  for await (const line of await openLines(endpoint, post('/api/pull', request, options))) {
    last = typeof line.status === 'string' ? line.status : last
    const number = (field: string) =>
      typeof line[field] === 'number' ? {[field]: line[field]} : {}
    yield {
      status: last,
      ...(typeof line.digest === 'string' ? {digest: line.digest} : {}),
      ...number('total'),
      ...number('completed'),
    }
  }
  if (last !== 'success') throw endedEarly()
}

/** Sends a request that tells its progress in lines, and gives the status of the last one. */
export async function lastStatus(
  endpoint: Endpoint,
  path: string,
  {request, options}: {readonly request: object; readonly options: CallOptions},
): Promise<string> {
  let last = ''
  for await (const {status} of await openLines(endpoint, post(path, request, options)))
    if (typeof status === 'string') last = status
  return last
}

/** Takes a model off a node's disk. */
export async function deleteModel(
  endpoint: Endpoint,
  model: string,
  options: CallOptions,
): Promise<void> {
  const body = JSON.stringify({model})
  await done(await openRequest(endpoint, {method: 'DELETE', path: '/api/delete', body, ...options}))
}

/** Gives a model of a node a second name there. */
export async function nameModel(
  endpoint: Endpoint,
  {source, destination}: {readonly source: string; readonly destination: string},
  options: CallOptions,
): Promise<void> {
  await done(await openRequest(endpoint, post('/api/copy', {source, destination}, options)))
}

/** How long a model is to stay in memory; it is loaded for that where it is not there. */
export interface KeepRequest {
  readonly model: string
  /** As Ollama's `keep_alive`: 0 unloads it, negative keeps it for ever; absent: as the node does by itself. */
  readonly keepAlive?: string | number
  readonly options?: Readonly<Record<string, unknown>>
}

/**
 * Loads a model or changes how long it stays; resolves when it is so. The load ends if the call is aborted. A model that
 * makes vectors alone is loaded by another call; which it is the node's list may tell wrongly, so it is tried.
 */
export async function keepInMemory(
  endpoint: Endpoint,
  {model, keepAlive, options: run}: KeepRequest,
  options: CallOptions,
): Promise<void> {
  const body = {
    model,
    ...(keepAlive === undefined ? {} : {keep_alive: keepAlive}),
    ...(run === undefined ? {} : {options: run}),
  }
  const send = async (path: string, request: object) =>
    done(await openRequest(endpoint, post(path, request, options)))
  try {
    await send('/api/generate', {...body, stream: false})
  } catch (error) {
    if (!/does not support generate/.test(messageOf(error))) throw error
    await send('/api/embed', {...body, input: []})
  }
}

/** Reads an answer whose content says nothing. */
async function done(response: Awaited<ReturnType<typeof openRequest>>): Promise<void> {
  await expectOk(response)
  for await (const _ of response.body);
}

async function openAnswer(
  endpoint: Endpoint,
  path: string,
  call: {readonly request: object; readonly options: CallOptions},
): Promise<AsyncGenerator<AnswerChunk>> {
  const wire = post(path, {...call.request, stream: true}, call.options)
  return answerChunks(await openLines(endpoint, wire))
}

async function* answerChunks(
  lines: AsyncIterable<Record<string, unknown>>,
): AsyncGenerator<AnswerChunk> {
  for await (const line of lines) {
    const chunk = chunkOf(line)
    yield chunk
    // Not waiting for the end of the body: the connection is closed by leaving the loop.
    if (chunk.done) return
  }
  throw endedEarly()
}

/** The JSON lines of a 2xx response; an `{"error": ...}` line is thrown as NODE_ERROR. */
async function openLines(
  endpoint: Endpoint,
  request: WireRequest,
): Promise<AsyncGenerator<Record<string, unknown>>> {
  const response = await openRequest(endpoint, request)
  await expectOk(response)
  return linesOf(response.body)
}

async function* linesOf(body: AsyncIterable<Uint8Array>): AsyncGenerator<Record<string, unknown>> {
  const split = new JsonLines()
  try {
    for await (const bytes of body) for (const line of split.push(bytes)) yield checked(line)
    for (const line of split.end()) yield checked(line)
  } catch (error) {
    throw error instanceof BadLine ? strange(error.message, error) : error
  }
}

function checked(line: Record<string, unknown>): Record<string, unknown> {
  if (line.error !== undefined) throw lineError(wordsOf(JSON.stringify(line)))
  return line
}

function chunkOf(raw: Record<string, unknown>): AnswerChunk {
  const message = (raw.message ?? raw) as {
    content?: unknown
    response?: unknown
    thinking?: unknown
  }
  const text = message.content ?? message.response
  const done = raw.done === true
  return {
    text: typeof text === 'string' ? text : '',
    thinking: typeof message.thinking === 'string' ? message.thinking : '',
    done,
    ...(done && typeof raw.done_reason === 'string' ? {doneReason: raw.done_reason} : {}),
    ...(done ? {stats: statsOf(raw)} : {}),
    raw,
  }
}

const NS_PER_MS = 1e6

function statsOf(raw: Record<string, unknown>): AnswerStats {
  const number = (field: string) => (typeof raw[field] === 'number' ? raw[field] : undefined)
  const ms = (field: string) => {
    const ns = number(field)
    return ns === undefined ? undefined : ns / NS_PER_MS
  }
  const all = {
    totalMs: ms('total_duration'),
    loadMs: ms('load_duration'),
    promptTokens: number('prompt_eval_count'),
    promptMs: ms('prompt_eval_duration'),
    answerTokens: number('eval_count'),
    answerMs: ms('eval_duration'),
  }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))
}

function post(path: string, body: object, options: CallOptions): WireRequest {
  return {method: 'POST', path, body: JSON.stringify(body), ...options}
}
