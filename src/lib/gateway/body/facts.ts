import type {Call} from '../route.ts'
import {BadBody, parseObject} from './parse.ts'
import {BYTES_PER_TOKEN} from './prefix.ts'
import {type Fields, walk} from './walk.ts'

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
  /** Where the fields stand. */
  readonly fields: Fields
}

/** An image is hundreds of kilobytes of base64, but not hundreds of thousands of tokens. */
const IMAGE_TOKENS = 1000
const IMAGE_BYTES = 32 * 1024
const LIMITS = ['max_tokens', 'max_completion_tokens', 'max_output_tokens']
/** Longer than any name, number or duration: what is longer is not looked at. */
const LONGEST_VALUE = 1024

export interface FactsOptions {
  readonly call: Call
  /** Default of `stream`: true in Ollama's own API, false elsewhere. */
  readonly streams: boolean
}

/**
 * Reads the facts of a body. BadBody for one that is no JSON object, or says in two spellings of one
 * field (`model`, `Model`) what Ollama would read as one: nobody can show one model to the gateway and
 * another to the node.
 */
export function readFacts(body: Buffer, {call, streams}: FactsOptions): Facts {
  const fields = walk(body)
  if (!fields) {
    // Says what is wrong with it. What can be parsed all the same has hundreds of fields.
    parseObject(body)
    throw new BadBody('the body has too many fields')
  }
  const of = (name: string) => shortValue(body, fields, name)
  const {numCtx, most: predicted} = optionsOf(body, fields)
  const limit = LIMITS.map(of).find((value) => typeof value === 'number')
  const most = predicted ?? (limit as number | undefined)
  const model = of('model')
  const stream = of('stream')
  const empty = isEmpty(body, fields, call)
  return {
    model: typeof model === 'string' ? model : '',
    stream: typeof stream === 'boolean' ? stream : streams,
    ...(numCtx === undefined ? {} : {numCtx}),
    ...(most === undefined ? {} : {maxAnswerTokens: most}),
    promptTokens: tokensOf(body, fields),
    empty,
    unload: empty && isZero(of('keep_alive')),
    fields,
  }
}

function optionsOf(body: Buffer, {places, doubled}: Fields): {numCtx?: number; most?: number} {
  const place = places.get('options')
  if (!place) return {}
  if (doubled.has('options')) throw new BadBody('field "options" stands there more than once')
  const inner = walk(body, place.start)
  if (!inner) return {}
  const numCtx = shortValue(body, inner, 'num_ctx')
  const most = shortValue(body, inner, 'num_predict')
  return {
    // Others are answered in the context that a model was loaded with: it has to be one.
    ...(isCount(numCtx) ? {numCtx} : {}),
    ...(typeof most === 'number' ? {most} : {}),
  }
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0
}

/** A short value, parsed; undefined where there is none, or a long one. */
function shortValue(body: Buffer, {places, doubled}: Fields, name: string): unknown {
  const place = places.get(name)
  if (!place) return undefined
  if (doubled.has(name)) throw new BadBody(`field "${name}" stands there more than once`)
  const {start, end} = place
  if (end - start > LONGEST_VALUE) return undefined
  try {
    return JSON.parse(body.toString('utf8', start, end))
  } catch (error) {
    throw new BadBody(`invalid JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
}

function isEmpty(body: Buffer, {places}: Fields, call: Call): boolean {
  const textOf = (name: string) => {
    const place = places.get(name)
    return place ? body.toString('latin1', place.start, Math.min(place.end, place.start + 8)) : ''
  }
  if (call === 'generate') return /^("")?$|^null$/.test(textOf('prompt')) && textOf('images') === ''
  return call === 'chat' && /^\[\s*\]$/.test(textOf('messages'))
}

/** `0`, `"0"`, `"0s"`, `"0m"`: unload now. */
function isZero(value: unknown): boolean {
  return value === 0 || (typeof value === 'string' && /^0+(\.0+)?[a-zµ]*$/.test(value))
}

function tokensOf(body: Buffer, {longest}: Fields): number {
  const tokens = Math.ceil(body.length / BYTES_PER_TOKEN)
  if (longest < IMAGE_BYTES) return tokens
  return body.includes('"images"') || body.includes('"image_url"') ? IMAGE_TOKENS : tokens
}
