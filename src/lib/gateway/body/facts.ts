import type {Call} from '../route.ts'
import {type Json, ObjectOf, parseObject} from './parse.ts'
import {BYTES_PER_TOKEN} from './prefix.ts'
import {scanBody} from './scan.ts'

/** What the gateway has to know of a request's body; all else is passed on unread. */
export interface Facts {
  /** As the client spells it; '' where it names none. */
  readonly model: string
  /** The answer comes in pieces. */
  readonly stream: boolean
  readonly numCtx?: number
  readonly maxAnswerTokens?: number
  readonly promptTokens: number
  /** Nothing to answer: the model is only to be loaded, or unloaded with `unload`. */
  readonly empty: boolean
  readonly unload: boolean
}

/** Up to this size the whole body is parsed: it costs a few microseconds, and no guess is needed. */
const PARSED_BYTES = 8 * 1024
/** An image is hundreds of kilobytes of base64, but not hundreds of thousands of tokens. */
const IMAGE_TOKENS = 1000

export interface FactsOptions {
  readonly call: Call
  /** Default of `stream`: true in Ollama's own API, false elsewhere. */
  readonly streams: boolean
  /** True: rights depend on the model, so that nothing may be guessed. */
  readonly exact: boolean
}

/**
 * Reads the facts of a body. BadBody for one that is no JSON object, or says in two spellings of one
 * field (`model`, `Model`) what Ollama would read as one.
 */
export function readFacts(body: Buffer, options: FactsOptions): Facts {
  if (body.length > PARSED_BYTES && !options.exact) {
    const scanned = scanBody(body)
    if (scanned)
      return {
        ...scanned,
        stream: scanned.stream ?? options.streams,
        promptTokens: tokensOf(body),
        empty: false,
        unload: false,
      }
  }
  return factsOf(parseObject(body), body, options)
}

function factsOf(raw: Json, body: Buffer, {call, streams}: FactsOptions): Facts {
  const object = new ObjectOf(raw)
  const options = new ObjectOf(object.object('options') ?? {})
  const numCtx = options.number('num_ctx')
  const most =
    options.number('num_predict') ??
    object.number('max_tokens') ??
    object.number('max_completion_tokens') ??
    object.number('max_output_tokens')
  const model = object.text('model') ?? ''
  const empty = isEmpty(object, call)
  return {
    model,
    stream: object.boolean('stream') ?? streams,
    ...(numCtx === undefined ? {} : {numCtx}),
    ...(most === undefined ? {} : {maxAnswerTokens: most}),
    promptTokens: tokensOf(body),
    empty,
    unload: empty && isZero(object.value('keep_alive')),
  }
}

function isEmpty(object: ObjectOf, call: Call): boolean {
  if (call === 'generate') return !object.text('prompt') && !object.value('images')
  const messages = object.value('messages')
  return call === 'chat' && Array.isArray(messages) && messages.length === 0
}

/** `0`, `"0"`, `"0s"`, `"0m"`: unload now. */
function isZero(value: unknown): boolean {
  return value === 0 || (typeof value === 'string' && /^0+(\.0+)?[a-zµ]*$/.test(value))
}

function tokensOf(body: Buffer): number {
  const tokens = Math.ceil(body.length / BYTES_PER_TOKEN)
  if (tokens <= IMAGE_TOKENS) return tokens
  const images = body.includes('"images"') || body.includes('"image_url"')
  return images ? IMAGE_TOKENS : tokens
}
