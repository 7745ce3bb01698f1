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
  // `"options": null` and the like: as good as none.
  if (!inner) return spliced(body, options, `{"num_ctx":${numCtx}}`)
  const known = inner.places.get('num_ctx')
  if (known) return spliced(body, known, `${numCtx}`)
  return putInto(body, inner, `"num_ctx":${numCtx}`)
}

/** The body with another model; the same as to its other bytes. */
export function withModel(body: Buffer, {places}: Fields, model: string): Buffer {
  const place = places.get('model')
  return place ? Buffer.concat(spliced(body, place, JSON.stringify(model))) : body
}

function putInto(body: Buffer, {inside, places}: Fields, field: string): Buffer[] {
  const text = places.size === 0 ? field : `${field},`
  return spliced(body, {start: inside, end: inside}, text)
}

function spliced(
  body: Buffer,
  {start, end}: {readonly start: number; readonly end: number},
  text: string,
): Buffer[] {
  return [body.subarray(0, start), Buffer.from(text), body.subarray(end)]
}
