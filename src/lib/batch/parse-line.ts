/** One request of a batch: where it goes and what it asks. */
export interface BatchRequest {
  /** Of the API, as a gateway serves it. */
  readonly path: string
  readonly body: Readonly<Record<string, unknown>>
  /** The caller's own name for the line. */
  readonly customId?: string
  /** Written as OpenAI's batches are; so is its answer then. */
  readonly openai: boolean
  /** How its answer comes: as Ollama's lines, as OpenAI's events, or in one piece. */
  readonly answer: AnswerForm
}

type AnswerForm = 'lines' | 'events' | 'whole'

export type ParsedLine =
  | {readonly kind: 'request'; readonly request: BatchRequest}
  | {readonly kind: 'broken'; readonly why: string; readonly customId?: string}

/** What holds for all lines. */
export interface LineDefaults {
  /** Answers every line, whatever it names; absent: each names its own. */
  readonly model?: string | undefined
  readonly keepAliveSeconds?: number | undefined
}

type Fields = Readonly<Record<string, unknown>>

/**
 * Paths that a line may name, and how they are answered. In pieces where that is possible, so that a node that hangs can
 * be told from one that has much to say.
 */
const PATHS = {
  '/api/chat': 'lines',
  '/api/embed': 'whole',
  '/api/generate': 'lines',
  '/v1/chat/completions': 'events',
  '/v1/completions': 'events',
  '/v1/embeddings': 'whole',
  '/v1/responses': 'events',
} as const satisfies Readonly<Record<string, AnswerForm>>

type Path = keyof typeof PATHS
const isPath = (text: unknown): text is Path =>
  typeof text === 'string' && Object.hasOwn(PATHS, text)

/** What says by its name what is asked, and of which call. */
const NATIVE = [
  ['messages', '/api/chat'],
  ['input', '/api/embed'],
  ['prompt', '/api/generate'],
] as const

/**
 * A line of a batch: a text alone (the prompt), an object with `prompt`, `messages` or `input` and whatever else Ollama
 * takes beside it, or OpenAI's form with `custom_id`, `method`, `url` and `body`. Never throws: a line that cannot be
 * used says why.
 */
export function parseLine(text: string, defaults: LineDefaults): ParsedLine {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    return {kind: 'broken', why: `no JSON: ${(error as Error).message}`}
  }
  if (typeof value === 'string') return native({prompt: value}, defaults)
  if (!isObject(value)) return {kind: 'broken', why: 'neither a JSON object nor a JSON string'}
  const {custom_id: id, ...rest} = value
  if (id !== undefined && typeof id !== 'string')
    return {kind: 'broken', why: '"custom_id" is no text'}
  const parsed = 'url' in rest || 'body' in rest ? openai(rest, defaults) : native(rest, defaults)
  if (id === undefined) return parsed
  return parsed.kind === 'broken'
    ? {...parsed, customId: id}
    : {kind: 'request', request: {...parsed.request, customId: id}}
}

function native(fields: Fields, {model, keepAliveSeconds}: LineDefaults): ParsedLine {
  const found = NATIVE.find(([name]) => name in fields)
  if (!found) return {kind: 'broken', why: 'it has no "prompt", "messages", "input" or "body"'}
  const [name, path] = found
  const wrong = wrongContent(name, fields[name])
  if (wrong) return {kind: 'broken', why: wrong}
  const named = modelOf(fields, model)
  if (named === undefined) return NO_MODEL
  const keep = keepAliveSeconds === undefined ? {} : {keep_alive: keepAliveSeconds}
  return asked(path, {...keep, ...fields, model: named}, false)
}

function openai(fields: Fields, {model}: LineDefaults): ParsedLine {
  const {method = 'POST', url, body} = fields
  if (method !== 'POST') return {kind: 'broken', why: '"method" is not POST'}
  if (!isPath(url))
    return {kind: 'broken', why: `"url" is none of ${Object.keys(PATHS).join(', ')}`}
  if (!isObject(body)) return {kind: 'broken', why: '"body" is no JSON object'}
  const named = modelOf(body, model)
  if (named === undefined) return NO_MODEL
  return asked(url, {...body, model: named}, true)
}

function asked(path: Path, body: Fields, openai: boolean): ParsedLine {
  const answer = PATHS[path]
  const {stream: _stream, stream_options: _options, ...rest} = body
  // Without it OpenAI's pieces tell no counts; responses tell them by themselves.
  const counts =
    answer === 'events' && path !== '/v1/responses' ? {stream_options: {include_usage: true}} : {}
  const streams = answer === 'whole' ? {} : {stream: true, ...counts}
  return {kind: 'request', request: {path, body: {...rest, ...streams}, openai, answer}}
}

const NO_MODEL = {kind: 'broken', why: 'it names no model, and no --model was given'} as const

function modelOf(fields: Fields, model: string | undefined): string | undefined {
  const named = model ?? fields.model
  return typeof named === 'string' && named !== '' ? named : undefined
}

/** What each node would refuse: found before the first one is asked. */
function wrongContent(name: string, value: unknown): string | undefined {
  if (name === 'prompt') return typeof value === 'string' ? undefined : '"prompt" is no text'
  if (name === 'input') {
    const texts = Array.isArray(value) ? value : [value]
    return texts.every((text) => typeof text === 'string') ? undefined : '"input" is no text'
  }
  const whole = Array.isArray(value) && value.length > 0 && value.every(isObject)
  return whole ? undefined : '"messages" is no list of messages'
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
