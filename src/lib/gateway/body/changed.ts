import {type Fields, walk} from './walk.ts'

/**
 * The body with `options.num_ctx` set, so that the node does not load the model anew; in pieces, for it may be long. No
 * other byte changes.
 * `fields`: of this body, as `walk` found them.
 */
export function withNumCtx(body: Buffer, fields: Fields, numCtx: number): Buffer[] {
  const options = fields.places.get('options')
  const inner = options && walk(body, options.start)
  if (!options) return putInto(body, fields, `"options":{"num_ctx":${numCtx}}`)
  // What is neither options nor a context is the node's to refuse, in its own words.
  if (!inner)
    return isNull(body, options) ? spliced(body, options, `{"num_ctx":${numCtx}}`) : [body]
  const known = inner.places.get('num_ctx')
  if (known) return replaceable(body, known) ? spliced(body, known, `${numCtx}`) : [body]
  return putInto(body, inner, `"num_ctx":${numCtx}`)
}

interface Span {
  readonly start: number
  readonly end: number
}

/** As good as none. */
const isNull = (body: Buffer, {start}: Span) => body[start] === 0x6e
const replaceable = (body: Buffer, place: Span) =>
  isNull(body, place) || /[-0-9]/.test(String.fromCharCode(body[place.start] ?? 0))

/** The body with another model; the same as to its other bytes. */
export function withModel(body: Buffer, {places}: Fields, model: string): Buffer {
  const place = places.get('model')
  return place ? Buffer.concat(spliced(body, place, JSON.stringify(model))) : body
}

function putInto(body: Buffer, {inside, places}: Fields, field: string): Buffer[] {
  const text = places.size === 0 ? field : `${field},`
  return spliced(body, {start: inside, end: inside}, text)
}

function spliced(body: Buffer, {start, end}: Span, text: string): Buffer[] {
  return [body.subarray(0, start), Buffer.from(text), body.subarray(end)]
}
