const BRACE = 0x7b
const CLOSING = 0x7d

/**
 * The body with `options.num_ctx` set, so that the node does not load the model anew. Bytes are put in where
 * that is safe; a body with options of its own is parsed and written again. A body that cannot be parsed
 * comes back as it is: the node will say what is wrong with it.
 */
export function withNumCtx(body: Buffer, numCtx: number): Buffer {
  if (!/options/i.test(body.toString('latin1'))) return inserted(body, numCtx)
  try {
    const object = JSON.parse(body.toString('utf8')) as Record<string, unknown>
    const given = object.options
    const options = typeof given === 'object' && given !== null ? given : {}
    return Buffer.from(JSON.stringify({...object, options: {...options, num_ctx: numCtx}}))
  } catch {
    return body
  }
}

function inserted(body: Buffer, numCtx: number): Buffer {
  const at = body.indexOf(BRACE)
  if (at < 0) return body
  const rest = body.subarray(at + 1)
  const next = rest.find((byte) => byte > 32)
  const field = `"options":{"num_ctx":${numCtx}}${next === CLOSING ? '' : ','}`
  return Buffer.concat([body.subarray(0, at + 1), Buffer.from(field), rest])
}
