type Schema = Readonly<Record<string, unknown>>

/** Says nothing about the value's form. */
const REMARKS = new Set([
  '$comment',
  '$id',
  '$schema',
  'default',
  'deprecated',
  'description',
  'examples',
  'readOnly',
  'title',
  'writeOnly',
])
/** Kept as they are. `required` too: the engine always writes all properties. */
const KEPT = new Set([
  'const',
  'enum',
  'maxItems',
  'maxLength',
  'maxProperties',
  'minItems',
  'minLength',
  'minProperties',
  'required',
])
const TYPES = new Set(['string', 'number', 'integer', 'boolean', 'null', 'object', 'array'])
const FORMATS = new Set(['date-time', 'time', 'date'])
const MAX_DEPTH = 64

/**
 * A JSON schema in the dialect of the engine's grammars. Throws an Error for what they cannot hold an
 * answer to: quietly leaving it out would promise an answer that is not one.
 */
export function translateSchema(root: Schema): Schema {
  const definitions = {...objectAt(root, 'definitions'), ...objectAt(root, '$defs')}
  const names = new Set(Object.keys(definitions))
  const translate = (schema: unknown, depth: number): Schema => {
    if (!isObject(schema)) throw new Error('a part of the schema is not an object')
    if (depth > MAX_DEPTH) throw new Error(`it is nested deeper than ${MAX_DEPTH} levels`)
    const next = (part: unknown) => translate(part, depth + 1)
    if (typeof schema.$ref === 'string') return {$ref: reference(schema.$ref, names)}
    if (Array.isArray(schema.type)) return byType(schema, schema.type, next)
    const out: Record<string, unknown> = {}
    for (const [key, value] of Object.entries(schema)) {
      if (value === undefined || REMARKS.has(key)) continue
      if (KEPT.has(key)) out[key] = value
      else part(out, {key, value, next})
    }
    const typed = ['type', 'const', 'enum', 'oneOf'].some((key) => key in out)
    if (!typed) throw new Error('a part of the schema does not say which type it wants')
    if (out.type === 'object' && !('properties' in out) && !('additionalProperties' in out))
      out.additionalProperties = true
    return out
  }
  const body = translate(root, 0)
  if (names.size === 0) return body
  const translated = Object.entries(definitions).map(([name, value]) => [name, translate(value, 1)])
  return {...body, $defs: Object.fromEntries(translated)}
}

function part(
  out: Record<string, unknown>,
  {key, value, next}: {key: string; value: unknown; next: (part: unknown) => Schema},
): void {
  if (key === '$defs' || key === 'definitions') return
  if (key === 'type' && TYPES.has(String(value))) out.type = value
  else if (key === 'format' && FORMATS.has(String(value))) out.format = value
  else if (key === 'properties' && isObject(value))
    out.properties = Object.fromEntries(Object.entries(value).map(([name, of]) => [name, next(of)]))
  else if ((key === 'oneOf' || key === 'anyOf') && Array.isArray(value)) out.oneOf = value.map(next)
  else if (key === 'prefixItems' && Array.isArray(value)) out.prefixItems = value.map(next)
  else if (key === 'items') out.items = next(value)
  else if (key === 'additionalProperties')
    out.additionalProperties = typeof value === 'boolean' ? value : next(value)
  else throw new Error(`${key}: ${JSON.stringify(value)} cannot be enforced`)
}

/** The grammars take only plain types in a list; objects and arrays need an alternative each. */
function byType(schema: Schema, types: unknown[], next: (part: unknown) => Schema): Schema {
  return {oneOf: types.map((type) => next({...schema, type}))}
}

function reference(ref: string, names: ReadonlySet<string>): string {
  const [, name] = /^#\/(?:\$defs|definitions)\/([^/]+)$/.exec(ref) ?? []
  if (name === undefined || !names.has(name)) throw new Error(`${ref} refers to nothing`)
  return `#/$defs/${name}`
}

function objectAt(schema: Schema, key: string): Schema {
  const value = schema[key]
  return isObject(value) ? value : {}
}

function isObject(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
