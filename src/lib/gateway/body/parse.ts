export type Json = Readonly<Record<string, unknown>>

/** A body that no Ollama would take; the message is for the client. */
export class BadBody extends Error {
  override readonly name = 'BadBody'
}

/** Parses a body that must be a JSON object. BadBody. */
export function parseObject(body: Buffer): Json {
  if (body.length === 0) throw new BadBody('missing request body')
  let value: unknown
  try {
    value = JSON.parse(body.toString('utf8'))
  } catch (error) {
    throw new BadBody(`invalid JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new BadBody('the body is no JSON object')
  return value as Json
}

/**
 * A JSON object read as Ollama (Go) reads it: names of fields are compared without regard to case. Of two
 * spellings of one field Go would take the later one; here that is refused (BadBody), so that nobody can
 * show one model to the gateway and another to the node.
 */
export class ObjectOf {
  readonly #raw: Json
  readonly #spelt: ReadonlyMap<string, readonly string[]>

  constructor(raw: Json) {
    this.#raw = raw
    const spelt = new Map<string, string[]>()
    for (const key of Object.keys(raw)) {
      const folded = key.toLowerCase()
      const others = spelt.get(folded)
      if (others) others.push(key)
      else spelt.set(folded, [key])
    }
    this.#spelt = spelt
  }

  value(field: string): unknown {
    const spelt = this.#spelt.get(field)
    if (!spelt?.[0]) return undefined
    if (spelt.length > 1) throw new BadBody(`field "${field}" stands there more than once`)
    return this.#raw[spelt[0]]
  }

  text(field: string): string | undefined {
    const value = this.value(field)
    return typeof value === 'string' ? value : undefined
  }

  object(field: string): Json | undefined {
    const value = this.value(field)
    const fits = typeof value === 'object' && value !== null && !Array.isArray(value)
    return fits ? (value as Json) : undefined
  }
}
