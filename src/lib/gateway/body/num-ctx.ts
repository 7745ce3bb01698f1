const BRACE = 0x7b
const CLOSING = 0x7d
const OPTIONS = '"options"'
/** Fields that may hold objects in which an inner "options" means something else. */
const FREE_FORM = ['"tools"', '"format"']

/**
 * The body with `options.num_ctx` set, so that the node does not load the model anew. Bytes are put in where
 * that is safe: a body is large, and parsing it costs more than everything else. Otherwise it is parsed and
 * written again. A body that cannot be parsed comes back as it is: the node will say what is wrong with it.
 */
export function withNumCtx(body: Buffer, numCtx: number): Buffer {
  const options = body.indexOf(OPTIONS)
  if (options < 0) return putInto(body, body.indexOf(BRACE), `${OPTIONS}:{"num_ctx":${numCtx}}`)
  const place = options + OPTIONS.length + 1
  const plain =
    body[place - 1] === 0x3a &&
    body[place] === BRACE &&
    body.indexOf(OPTIONS, place) < 0 &&
    body.indexOf('"num_ctx"') < 0 &&
    FREE_FORM.every((field) => body.indexOf(field) < 0)
  if (plain) return putInto(body, place, `"num_ctx":${numCtx}`)
  try {
    const object = JSON.parse(body.toString('utf8')) as Record<string, unknown>
    const given = object.options
    const before = typeof given === 'object' && given !== null ? given : {}
    return Buffer.from(JSON.stringify({...object, options: {...before, num_ctx: numCtx}}))
  } catch {
    return body
  }
}

/** A field more at the beginning of the object whose brace stands at `at`. */
function putInto(body: Buffer, at: number, field: string): Buffer {
  if (at < 0) return body
  const rest = body.subarray(at + 1)
  let next = 0
  while ((rest[next] ?? CLOSING) <= 32) next++
  const text = rest[next] === CLOSING ? field : `${field},`
  return Buffer.concat([body.subarray(0, at + 1), Buffer.from(text), rest])
}
