/** What a scan finds without parsing; what is absent there stood nowhere. */
export interface Scanned {
  readonly model: string
  readonly stream?: boolean
  readonly numCtx?: number
  readonly maxAnswerTokens?: number
}

const COLON = 0x3a
const QUOTE = 0x22
/** Longest name or number that is read. */
const MOST = 512
const ANSWER_LIMITS = ['"num_predict"', '"max_tokens"', '"max_completion_tokens"']

/**
 * Finds the few fields that matter in a large body by a search over its bytes, ten times faster than
 * parsing it. Inside a JSON text quotes are escaped, so `"model":` can only be a field; but it may be one
 * of an inner object. So every field must occur at most once; undefined in all other cases: parse it then.
 */
export function scanBody(body: Buffer): Scanned | undefined {
  try {
    const model = stringAt(body, onlyField(body, '"model"'))
    if (model === undefined) return undefined
    const stream = wordAt(body, onlyField(body, '"stream"'))
    const numCtx = numberAt(body, onlyField(body, '"num_ctx"'))
    const most = ANSWER_LIMITS.map((field) => numberAt(body, onlyField(body, field)))
    const maxAnswerTokens = most.find((value) => value !== undefined)
    return {
      model,
      ...(stream === undefined ? {} : {stream: stream === 'true'}),
      ...(numCtx === undefined ? {} : {numCtx}),
      ...(maxAnswerTokens === undefined ? {} : {maxAnswerTokens}),
    }
  } catch (error) {
    if (error instanceof Ambiguous) return undefined
    throw error
  }
}

class Ambiguous extends Error {}

/** Where the value of the only field of that name begins; undefined if there is none. Throws Ambiguous. */
function onlyField(body: Buffer, field: string): number | undefined {
  const at = body.indexOf(field)
  if (at < 0) return undefined
  if (body.indexOf(field, at + field.length) >= 0) throw new Ambiguous()
  let next = skipSpace(body, at + field.length)
  // A text of that wording, not a field.
  if (body[next] !== COLON) throw new Ambiguous()
  next = skipSpace(body, next + 1)
  return next
}

function skipSpace(body: Buffer, from: number): number {
  let at = from
  for (let byte = body[at]; byte === 32 || (byte !== undefined && byte >= 9 && byte <= 13); )
    byte = body[++at]
  return at
}

function stringAt(body: Buffer, at: number | undefined): string | undefined {
  if (at === undefined || body[at] !== QUOTE) return undefined
  const end = body.indexOf(QUOTE, at + 1)
  if (end < 0 || end - at > MOST) throw new Ambiguous()
  const text = body.toString('utf8', at + 1, end)
  if (text.includes('\\')) throw new Ambiguous()
  return text
}

function wordAt(body: Buffer, at: number | undefined): string | undefined {
  if (at === undefined) return undefined
  return /^(true|false|null)\b/.exec(body.toString('latin1', at, at + 6))?.[0]
}

function numberAt(body: Buffer, at: number | undefined): number | undefined {
  if (at === undefined) return undefined
  const found = /^-?\d+(\.\d+)?/.exec(body.toString('latin1', at, at + 24))
  return found ? Number(found[0]) : undefined
}
