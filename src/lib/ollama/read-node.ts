import type {LoadedModel, ModelTag, Reading} from '../cluster/reading.ts'
import {messageOf, OllamaxError} from '../errors.ts'
import type {CallOptions} from './client.ts'
import type {Endpoint} from './endpoint.ts'
import {strange} from './errors.ts'
import {openRequest, readJson} from './request.ts'

const MAX_JSON_BYTES = 32 * 1024 * 1024
const OVER = new Error('the reading is over')

export interface ReadOptions {
  readonly signal: AbortSignal
  /** For the whole reading. */
  readonly timeoutMs: number
  /** False: leaves out the version, and one request with it. Default true. */
  readonly version?: boolean
  /** What is known of it: only what it has in memory is asked for then. */
  readonly known?: Known | undefined
}

/** A reading of before, from which the models on disk and the version are taken. */
export interface Known extends Pick<WholeReading, 'tags'> {
  readonly reading: Reading & {readonly kind: 'up'}
  /** Since they were read, ms. */
  readonly ageMs: number
}

/**
 * Asks a node for its models, its loaded models and its version, at the same time. A node that fails in
 * any way is a `down` reading; throws only when the caller's own signal aborts.
 */
export async function readNode(
  endpoint: Endpoint,
  node: string,
  options: ReadOptions,
): Promise<Reading> {
  return (await readWhole(endpoint, node, options)).reading
}

/** A reading beside the entries that it was made from, as the node wrote them. */
export interface WholeReading {
  readonly reading: Reading
  readonly tags: readonly Json[]
  readonly ps: readonly Json[]
}

/** As `readNode`, with the node's own words. */
export async function readWhole(
  endpoint: Endpoint,
  node: string,
  options: ReadOptions,
): Promise<WholeReading> {
  const startedMs = performance.now()
  const stop = new AbortController()
  // An error with its stack is dear for somebody who reads hundreds of nodes.
  const late = () =>
    new OllamaxError('TIMEOUT', `no answer within ${Math.round(options.timeoutMs)} ms`)
  const timer = setTimeout(() => stop.abort(late()), options.timeoutMs)
  const passOn = () => stop.abort(options.signal.reason)
  options.signal.addEventListener('abort', passOn, {once: true})
  const call = {signal: stop.signal}
  try {
    options.signal.throwIfAborted()
    const {known} = options
    const [tags, ps, told] = await Promise.all([
      known ? known.tags : readList(endpoint, '/api/tags', call),
      readList(endpoint, '/api/ps', call),
      known || options.version === false ? undefined : version(endpoint, call),
    ])
    const latencyMs = performance.now() - startedMs
    const now = {node, atMs: Date.now(), latencyMs, loaded: ps.map(loadedOf)}
    if (known) return {reading: {...known.reading, ...now, modelsAgeMs: known.ageMs}, tags, ps}
    const up = {kind: 'up', ...now, models: tags.map(tagOf)} as const
    return {reading: told === undefined ? up : {...up, version: told}, tags, ps}
  } catch (error) {
    // One failed: the others must not keep their connections.
    stop.abort(OVER)
    options.signal.throwIfAborted()
    return {reading: downReading(node, error), tags: [], ps: []}
  } finally {
    clearTimeout(timer)
    options.signal.removeEventListener('abort', passOn)
  }
}

/** The reading of a node that could not be read. */
export function downReading(node: string, error: unknown): Reading {
  const code = OllamaxError.is(error) ? error.code : 'NODE_UNREACHABLE'
  return {kind: 'down', node, atMs: Date.now(), code, message: messageOf(error)}
}

/** For example `0.33.0`. */
export async function version(endpoint: Endpoint, options: CallOptions): Promise<string> {
  const {version: text} = await read(endpoint, '/api/version', options)
  if (typeof text !== 'string') throw strange('/api/version without a version')
  return text
}

/** The models in a node's memory; one that is just being loaded is not among them. */
export async function ps(endpoint: Endpoint, options: CallOptions): Promise<LoadedModel[]> {
  return (await readList(endpoint, '/api/ps', options)).map(loadedOf)
}

type Json = Readonly<Record<string, unknown>>

async function read(endpoint: Endpoint, path: string, options: CallOptions): Promise<Json> {
  return readJson(await openRequest(endpoint, {method: 'GET', path, ...options}), MAX_JSON_BYTES)
}

async function readList(endpoint: Endpoint, path: string, options: CallOptions): Promise<Json[]> {
  const {models} = await read(endpoint, path, options)
  // Go writes an empty list as null in some places.
  if (models === null) return []
  if (!Array.isArray(models)) throw strange(`${path} without a list of models`)
  return models.filter((entry) => typeof entry === 'object' && entry !== null)
}

function tagOf(entry: Json): ModelTag {
  const details = (entry.details ?? {}) as Json
  const capabilities = Array.isArray(entry.capabilities)
    ? entry.capabilities.map(String)
    : undefined
  return {
    name: text(entry.name) || text(entry.model),
    digest: text(entry.digest),
    sizeBytes: number(entry.size) ?? 0,
    modifiedAt: text(entry.modified_at),
    ...optional('family', text(details.family)),
    ...optional('parameterSize', text(details.parameter_size)),
    ...optional('quantization', text(details.quantization_level)),
    ...optional('contextLength', number(details.context_length)),
    ...optional('capabilities', capabilities),
  }
}

function loadedOf(entry: Json): LoadedModel {
  return {
    name: text(entry.name) || text(entry.model),
    digest: text(entry.digest),
    sizeBytes: number(entry.size) ?? 0,
    vramBytes: number(entry.size_vram) ?? 0,
    ...optional('contextLength', number(entry.context_length)),
    expiresAt: text(entry.expires_at),
  }
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '')
const number = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isFinite(value) ? value : undefined

function optional<K extends string, V>(key: K, value: V | undefined): {readonly [k in K]?: V} {
  return value ? ({[key]: value} as {[k in K]: V}) : {}
}
