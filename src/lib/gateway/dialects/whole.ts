import type {Call, Dialect} from '../route.ts'

/** The part that tells how an answer ended is no longer than this. */
const TAIL_BYTES = 512

/**
 * False: a whole answer says itself that it is none. Ollama gives such a one with status 200 where its runner ended
 * early. `all` false: these are only the last pieces of a long one, which may say it before them.
 *
 * What a tool is called with stands in the answer as it is, names of fields and all, but before what Ollama says of the
 * end: so the last field of that name counts. An answer of /v1/responses calls itself completed in any case.
 */
export function isWhole(
  {dialect, call}: {readonly dialect: Dialect; readonly call: Call},
  body: Buffer,
  all: boolean,
): boolean {
  if (call === 'embed' || call === 'responses') return true
  if (dialect === 'anthropic') {
    // Left out where there was no end.
    const sure = all || body.length >= TAIL_BYTES
    return body.includes('"stop_reason":"') || !sure
  }
  const [field, good] = dialect === 'ollama' ? ['"done":', 'true'] : ['"finish_reason":', '"']
  const at = body.lastIndexOf(field)
  if (at < 0) return !all
  const value = at + field.length
  return body.toString('latin1', value, value + good.length) === good
}
