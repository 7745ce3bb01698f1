import {ApiError, jsonKind} from './http.ts'
import {fullName, type Model, type ModelStore} from './model.ts'
import type {Settings} from './options.ts'

/** What generate and chat ask for, checked as Ollama checks it. */
export interface Inference {
  readonly kind: 'generate' | 'chat'
  /** As the client spelt it. */
  readonly spelt: string
  readonly model: Model
  readonly stream: boolean
  /** Everything that is to be evaluated, as one text; empty = load only. */
  readonly prompt: string
  /** The answer's beginning, where the last message is the assistant's or a raw prompt is to be gone on with. */
  readonly begun: string
  readonly keepAliveMs: number
  readonly numCtx: number
  readonly runnerKey: string
  readonly numPredict: number | undefined
  readonly seed: number | undefined
  readonly temperature: number | undefined
  readonly stop: readonly string[]
  readonly format: 'json' | Readonly<Record<string, unknown>> | undefined
  readonly think: boolean
  readonly tools: boolean
}

const INTEGERS = ['num_ctx', 'num_batch', 'num_gpu', 'main_gpu', 'num_thread', 'num_keep', 'seed']
const OPTIONS: Readonly<Record<string, 'integer' | 'float32' | 'boolean' | 'string array'>> = {
  ...Object.fromEntries(
    [...INTEGERS, 'num_predict', 'top_k', 'repeat_last_n'].map((k) => [k, 'integer' as const]),
  ),
  temperature: 'float32',
  top_p: 'float32',
  min_p: 'float32',
  typical_p: 'float32',
  repeat_penalty: 'float32',
  presence_penalty: 'float32',
  frequency_penalty: 'float32',
  use_mmap: 'boolean',
  stop: 'string array',
}
const RUNNER_OPTIONS = ['num_batch', 'num_gpu', 'main_gpu', 'num_thread', 'shift']

type Body = Record<string, unknown>

/** Checks a generate or chat body. Throws the refusals of the status table. */
export function inferenceOf(
  kind: 'generate' | 'chat',
  body: Body,
  context: {readonly store: ModelStore; readonly settings: Settings},
): Inference {
  checkTypes(kind, body)
  const {spelt, model} = modelFor(kind, body, context.store)
  const options = checkOptions(body.options)
  const format = checkFormat(body.format)
  refuseUnable(kind, body, {spelt, model})
  const numCtx = Math.min(
    Math.max((options.num_ctx as number | undefined) ?? context.settings.numCtx, 4),
    model.contextLength,
  )
  const runner = RUNNER_OPTIONS.map((k) => [k, options[k] ?? body[k] ?? null])
  const think = model.capabilities.includes('thinking') && body.think !== false
  return {
    kind,
    spelt,
    model,
    stream: body.stream !== false,
    prompt: promptOf(kind, body),
    begun: begunOf(kind, body),
    keepAliveMs: keepAliveMs(body.keep_alive) ?? context.settings.keepAliveMs,
    numCtx,
    runnerKey: JSON.stringify([numCtx, runner]),
    numPredict: options.num_predict as number | undefined,
    seed: options.seed as number | undefined,
    temperature: options.temperature as number | undefined,
    stop: (options.stop as string[] | undefined) ?? [],
    format,
    think,
    tools: kind === 'chat' && Array.isArray(body.tools) && body.tools.length > 0,
  }
}

function modelFor(kind: 'generate' | 'chat', body: Body, store: ModelStore) {
  const spelt = (body.model as string | undefined) ?? ''
  const name = fullName(spelt)
  if (kind === 'chat' && name === undefined) throw new ApiError(400, 'model is required')
  const model = store.list().find((m) => m.name === name)
  if (!model) throw new ApiError(404, `model '${spelt}' not found`)
  return {spelt, model}
}

function refuseUnable(
  kind: 'generate' | 'chat',
  body: Body,
  {spelt, model}: {readonly spelt: string; readonly model: Model},
): void {
  const can = (what: string): boolean => model.capabilities.includes(what)
  const long = `registry.ollama.ai/library/${model.name}`
  if (!can('completion')) throw new ApiError(400, `"${spelt}" does not support ${kind}`)
  if (body.think && !can('thinking'))
    throw new ApiError(400, `"${spelt}" does not support thinking`)
  if (Array.isArray(body.tools) && body.tools.length > 0 && !can('tools'))
    throw new ApiError(400, `${long} does not support tools`)
  if (body.suffix && !can('insert')) throw new ApiError(400, `${long} does not support insert`)
  if (hasImages(body) && !can('vision')) {
    const inner = {
      code: 400,
      message:
        'image input is not supported - hint: if this is unexpected, you may need to provide the mmproj',
      type: 'invalid_request_error',
    }
    throw new ApiError(400, JSON.stringify({error: inner}))
  }
}

function hasImages(body: Body): boolean {
  const some = (holder: unknown): boolean => {
    const images = (holder as {images?: unknown} | null)?.images
    return Array.isArray(images) && images.length > 0
  }
  return some(body) || (Array.isArray(body.messages) && body.messages.some(some))
}

const FIELDS: Readonly<Record<string, 'string' | 'bool' | 'array'>> = {
  model: 'string',
  prompt: 'string',
  system: 'string',
  suffix: 'string',
  stream: 'bool',
  messages: 'array',
  images: 'array',
}

function checkTypes(kind: 'generate' | 'chat', body: Body): void {
  const struct = kind === 'chat' ? 'ChatRequest' : 'GenerateRequest'
  for (const [field, wanted] of Object.entries(FIELDS)) {
    const value = body[field]
    if (value === undefined || value === null || jsonKind(value) === wanted) continue
    const go = wanted === 'array' ? '[]' : wanted
    throw new ApiError(
      400,
      `json: cannot unmarshal ${jsonKind(value)} into Go struct field ${struct}.${field} of type ${go}`,
    )
  }
}

function checkOptions(given: unknown): Body {
  const options = (given ?? {}) as Body
  for (const [name, value] of Object.entries(options)) {
    const wanted = OPTIONS[name]
    if (wanted === undefined || value === null) continue
    const fits =
      wanted === 'boolean'
        ? typeof value === 'boolean'
        : wanted === 'string array'
          ? Array.isArray(value)
          : typeof value === 'number'
    if (!fits) throw new ApiError(500, `option "${name}" must be of type ${wanted}`)
  }
  return options
}

function checkFormat(format: unknown): Inference['format'] {
  if (format === undefined || format === null || format === '') return undefined
  if (format === 'json') return 'json'
  if (typeof format !== 'object' || Array.isArray(format)) {
    const shown = JSON.stringify(format)
    throw new ApiError(
      500,
      `invalid format: ${shown}; expected "json" or a valid JSON Schema object`,
    )
  }
  const type = (format as Body).type
  if (type !== undefined && typeof type !== 'string' && !Array.isArray(type)) {
    const inner = {code: 400, message: 'failed to parse grammar', type: 'invalid_request_error'}
    throw new ApiError(400, JSON.stringify({error: inner}))
  }
  return format as Body
}

function promptOf(kind: 'generate' | 'chat', body: Body): string {
  if (kind === 'generate') {
    if (!body.prompt) return ''
    return [body.system, body.prompt].filter(Boolean).join('\n')
  }
  const messages = (body.messages ?? []) as {role?: string; content?: string}[]
  return messages.map((m) => `<${m.role}> ${m.content ?? ''}`).join('\n')
}

const UNITS: Readonly<Record<string, number>> = {ms: 1, s: 1000, m: 60_000, h: 3_600_000}

/** `keep_alive`: seconds or a Go duration; negative = for ever; undefined if not given. */
export function keepAliveMs(given: unknown): number | undefined {
  if (given === undefined || given === null) return undefined
  if (typeof given === 'number') return given < 0 ? -1 : given * 1000
  const text = String(given)
  const match = /^(-?)((?:\d+(?:\.\d+)?(?:ms|s|m|h))+)$/.exec(text)
  if (text !== '0' && !match)
    throw new ApiError(400, `time: invalid duration ${JSON.stringify(text)}`)
  if (match?.[1]) return -1
  let sum = 0
  for (const [, n, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g))
    sum += Number(n) * (UNITS[unit ?? 's'] ?? 0)
  return sum
}

function begunOf(kind: 'generate' | 'chat', body: Body): string {
  if (kind === 'generate') return body.raw === true ? String(body.prompt ?? '') : ''
  const last = (body.messages as {role?: unknown; content?: unknown}[] | undefined)?.at(-1)
  return last?.role === 'assistant' ? String(last.content ?? '') : ''
}
