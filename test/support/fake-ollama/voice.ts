/** A line of Ollama's own API; the other dialects are made of these, as in the real server. */
export type Native = Readonly<Record<string, unknown>>

/** One answer in the words of one dialect. It may keep state: each answer has a voice of its own. */
export interface Voice {
  readonly streamType: string
  readonly wholeType: string
  /** What one native line becomes in a stream; '' where the dialect has no word for it. */
  line(native: Native): string
  whole(native: Native): unknown
}

/** A way to ask for inference: its body as Ollama's own API has it, and the voice that answers it. */
export interface Accent {
  readonly kind: 'generate' | 'chat'
  /** Throws the dialect's own refusals. */
  native(body: Native): Record<string, unknown>
  voice(body: Native): Voice
}

const plain: Voice = {
  streamType: 'application/x-ndjson',
  wholeType: 'application/json; charset=utf-8',
  line: (native) => `${JSON.stringify(native)}\n`,
  whole: (native) => native,
}

/** Ollama's own API. */
export const ownAccent = (kind: Accent['kind']): Accent => ({
  kind,
  native: (body) => body,
  voice: () => plain,
})

export const SSE = {streamType: 'text/event-stream', wholeType: 'application/json'} as const
export const data = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`
export const event = (name: string, value: unknown): string => `event: ${name}\n${data(value)}`

/** A line that is no JSON, in the framing of the dialect. */
export const garbage = ({streamType}: Voice): string =>
  streamType === SSE.streamType ? 'data: {"model": garb\n\n' : '{"model": garb\n'

const OPENAI_TYPES: Readonly<Record<number, string>> = {
  400: 'invalid_request_error',
  404: 'not_found_error',
}
const ANTHROPIC_TYPES: Readonly<Record<number, string>> = {
  ...OPENAI_TYPES,
  401: 'authentication_error',
  403: 'permission_error',
  429: 'rate_limit_error',
  503: 'overloaded_error',
}

/** The body of an error in the dialect of the path. */
export function errorBody(path: string, status: number, message: string): unknown {
  if (path.startsWith('/v1/messages')) {
    const type = ANTHROPIC_TYPES[status] ?? 'api_error'
    return {type: 'error', error: {type, message}, request_id: `req_${hex(12)}`}
  }
  if (!path.startsWith('/v1/')) return {error: message}
  const type = OPENAI_TYPES[status] ?? 'api_error'
  return {error: {message, type, param: null, code: null}}
}

/** So many random bytes, as ids have them. */
export const hex = (bytes: number): string =>
  Buffer.from(Array.from({length: bytes}, () => Math.floor(Math.random() * 256))).toString('hex')

/** The parts of a native line that the other dialects tell. */
export interface Said {
  readonly model: string
  readonly text: string
  readonly thinking: string
  readonly calls: readonly ToolCall[]
  readonly done: boolean
  readonly reason: string
  readonly promptTokens: number
  readonly answerTokens: number
}

export interface ToolCall {
  readonly id: string
  readonly function: {
    readonly index: number
    readonly name: string
    readonly arguments: Readonly<Record<string, unknown>>
  }
}

/** What a line lacks is empty, as Go reads it: an error line says nothing at all. */
export function said(native: Native): Said {
  const message = (native.message ?? {}) as Native
  return {
    model: String(native.model ?? ''),
    text: String(message.content ?? native.response ?? ''),
    thinking: String(message.thinking ?? native.thinking ?? ''),
    calls: (message.tool_calls ?? []) as readonly ToolCall[],
    done: native.done === true,
    reason: String(native.done_reason ?? ''),
    promptTokens: Number(native.prompt_eval_count ?? 0),
    answerTokens: Number(native.eval_count ?? 0),
  }
}

/** The text of a message's content: a string, or parts of which the text counts. */
export function textOf(content: unknown): string {
  if (!Array.isArray(content)) return typeof content === 'string' ? content : ''
  return content.map((part: Native) => String(part.text ?? '')).join('')
}

/** Fields that have a value. */
export const given = (fields: Native): Native =>
  Object.fromEntries(Object.entries(fields).filter(([, v]) => v !== undefined && v !== null))
