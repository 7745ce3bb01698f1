import type {ChatMessage, Format, Sampling} from '../infer/messages.ts'
import {Refusal} from './refusal.ts'

/** A JSON object as it came. */
export type Body = Readonly<Record<string, unknown>>

/** What generate, chat and embed have in common. */
export interface Common {
  readonly model: string
  /** How long the model stays loaded afterwards, ms; Infinity: for ever. */
  readonly keepAliveMs: number
  /** Context the caller asks for, in tokens. */
  readonly numCtx: number | undefined
}

export interface TextRequest extends Common {
  readonly stream: boolean
  readonly sampling: Sampling
  readonly format: Format | undefined
  readonly think: boolean
  readonly hasImages: boolean
}

export interface GenerateRequest extends TextRequest {
  readonly prompt: string
  readonly system: string | undefined
  readonly suffix: boolean
  readonly raw: boolean
  readonly context: readonly number[] | undefined
}

export interface ChatRequest extends TextRequest {
  readonly messages: readonly ChatMessage[]
  readonly tools: boolean
}

export interface EmbedRequest extends Common {
  readonly inputs: readonly string[]
  readonly truncate: boolean
  readonly dimensions: number | undefined
}

const DEFAULT_KEEP_ALIVE_MS = 5 * 60_000

export function parseBody(text: string): Body {
  if (text.trim() === '') throw new Refusal(400, 'missing request body')
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    throw new Refusal(400, 'unexpected EOF')
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw new Refusal(400, 'json: cannot unmarshal the body into an object')
  return body as Body
}

export function parseGenerate(body: Body): GenerateRequest {
  const context = field(body, 'context', isNumbers, 'array of numbers')
  return {
    ...parseText(body),
    hasImages: (field(body, 'images', Array.isArray, 'array')?.length ?? 0) > 0,
    prompt: field(body, 'prompt', isString, 'string') ?? '',
    system: field(body, 'system', isString, 'string'),
    suffix: (field(body, 'suffix', isString, 'string') ?? '') !== '',
    raw: field(body, 'raw', isBoolean, 'bool') ?? false,
    context,
  }
}

export function parseChat(body: Body): ChatRequest {
  const messages = field(body, 'messages', Array.isArray, 'array') ?? []
  let hasImages = false
  const parsed = messages.map((message: unknown): ChatMessage => {
    if (!isObject(message)) throw mismatch('messages', 'array of objects')
    const images = field(message, 'images', Array.isArray, 'array')
    hasImages ||= (images?.length ?? 0) > 0
    return {
      role: field(message, 'role', isString, 'string') ?? '',
      content: field(message, 'content', isString, 'string') ?? '',
    }
  })
  const bad = parsed.find(({role}) => !['system', 'user', 'assistant', 'tool'].includes(role))
  if (bad) throw new Refusal(400, `invalid role: ${JSON.stringify(bad.role)}`)
  const tools = (field(body, 'tools', Array.isArray, 'array')?.length ?? 0) > 0
  return {...parseText(body), hasImages, messages: parsed, tools}
}

export function parseEmbed(body: Body): EmbedRequest {
  const {input} = body
  const inputs =
    input === undefined || input === null || input === '' ? [] : isString(input) ? [input] : input
  if (!Array.isArray(inputs) || !inputs.every(isString))
    throw new Refusal(400, 'invalid input type')
  return {
    ...parseCommon(body),
    inputs,
    truncate: field(body, 'truncate', isBoolean, 'bool') ?? true,
    dimensions: field(body, 'dimensions', isNumber, 'int'),
  }
}

/** The model that a request names; show and delete still get it as `name` from Ollama's own CLI. */
export function modelOf(body: Body): string {
  const model = field(body, 'model', isString, 'string')
  return model || (field(body, 'name', isString, 'string') ?? '')
}

function parseCommon(body: Body): Common {
  const options = field(body, 'options', isObject, 'map') ?? {}
  return {
    model: modelOf(body),
    keepAliveMs: parseKeepAlive(body.keep_alive),
    numCtx: option(options, 'num_ctx', 'integer'),
  }
}

function parseText(body: Body): Omit<TextRequest, 'hasImages'> {
  const options = field(body, 'options', isObject, 'map') ?? {}
  const {think} = body
  if (think !== undefined && think !== null && !isBoolean(think) && !isString(think))
    throw mismatch('think', 'bool')
  return {
    ...parseCommon(body),
    stream: field(body, 'stream', isBoolean, 'bool') ?? true,
    sampling: parseSampling(options),
    format: parseFormat(body.format),
    think: think !== undefined && think !== null && think !== false,
  }
}

function parseSampling(options: Body): Sampling {
  const seed = option(options, 'seed', 'integer')
  const {stop} = options
  const stops = stop === undefined || stop === null ? [] : isString(stop) ? [stop] : stop
  if (!Array.isArray(stops) || !stops.every(isString))
    throw new Refusal(500, 'option "stop" must be of type array')
  return {
    temperature: option(options, 'temperature', 'float32') ?? 0.8,
    topK: option(options, 'top_k', 'integer') ?? 40,
    topP: option(options, 'top_p', 'float32') ?? 0.9,
    minP: option(options, 'min_p', 'float32') ?? 0,
    repeatPenalty: option(options, 'repeat_penalty', 'float32') ?? 1,
    repeatLastN: option(options, 'repeat_last_n', 'integer') ?? 64,
    frequencyPenalty: option(options, 'frequency_penalty', 'float32') ?? 0,
    presencePenalty: option(options, 'presence_penalty', 'float32') ?? 0,
    ...(seed === undefined || seed < 0 ? {} : {seed}),
    numPredict: option(options, 'num_predict', 'integer') ?? -1,
    stop: stops,
  }
}

function parseFormat(format: unknown): Format | undefined {
  if (format === undefined || format === null || format === '') return undefined
  if (format === 'json') return 'json'
  if (isObject(format)) return format
  throw new Refusal(
    500,
    `invalid format: ${JSON.stringify(format)}; expected "json" or a valid JSON Schema object`,
  )
}

const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
}

/** Longer than this is for ever: it is what Ollama's own number of nanoseconds holds. */
const MAX_KEEP_ALIVE_MS = 2 ** 63 / 1e6

/** A number of seconds or a duration such as `1h30m`; negative: for ever. */
export function parseKeepAlive(value: unknown): number {
  const ms = keepAliveOf(value)
  return ms < 0 || ms > MAX_KEEP_ALIVE_MS ? Infinity : ms
}

/** In milliseconds, and below zero for any negative one. */
function keepAliveOf(value: unknown): number {
  if (value === undefined || value === null) return DEFAULT_KEEP_ALIVE_MS
  if (isNumber(value)) return value * 1000
  if (!isString(value)) throw mismatch('keep_alive', 'duration')
  const [, sign = '', parts = ''] =
    /^([-+]?)((?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+|0)$/.exec(value) ?? []
  if (parts === '') throw new Refusal(400, `time: invalid duration ${JSON.stringify(value)}`)
  let ms = 0
  for (const [, count = '0', unit = 's'] of parts.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g))
    ms += Number(count) * (UNIT_MS[unit] ?? 0)
  return sign === '-' ? -ms : ms
}

function option(options: Body, name: string, type: 'integer' | 'float32'): number | undefined {
  const value = options[name]
  if (value === undefined || value === null) return undefined
  if (!isNumber(value)) throw new Refusal(500, `option "${name}" must be of type ${type}`)
  return type === 'integer' ? Math.trunc(value) : value
}

function field<T>(
  body: Body,
  name: string,
  is: (value: unknown) => value is T,
  type: string,
): T | undefined {
  const value = body[name]
  if (value === undefined || value === null) return undefined
  if (!is(value)) throw mismatch(name, type)
  return value
}

function mismatch(name: string, type: string): Refusal {
  return new Refusal(400, `json: cannot unmarshal field ${name}: it must be of type ${type}`)
}

const isString = (value: unknown): value is string => typeof value === 'string'
const isBoolean = (value: unknown): value is boolean => typeof value === 'boolean'
const isNumber = (value: unknown): value is number =>
  typeof value === 'number' && Number.isFinite(value)
const isNumbers = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((entry) => Number.isInteger(entry) && entry >= 0)
const isObject = (value: unknown): value is Body =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
