const TYPES = ['object', 'array', 'string', 'number', 'integer', 'boolean', 'null']

type JsonObject = Readonly<Record<string, unknown>>

/** Keys that hold one schema, a list of them, and a mapping of names to them. */
const ONE = ['items', 'additionalProperties', 'contains', 'not']
const LISTS = ['anyOf', 'oneOf', 'allOf', 'prefixItems']
const MAPS = ['properties', 'patternProperties', '$defs', 'definitions']

/**
 * What is wrong with a JSON schema, and where; undefined: nothing that can be told without knowing all of
 * the standard. A model would follow what it understands of a wrong one, and nobody would be told.
 */
export function schemaProblem(schema: unknown): string | undefined {
  return problemAt(schema, '')
}

function problemAt(schema: unknown, at: string): string | undefined {
  const its = at === '' ? 'its' : `its ${at}:`
  if (!isObject(schema)) return at === '' ? 'it must be a JSON object' : `${its} must be an object`
  const wrong = [schema.type ?? []].flat().find((one) => !TYPES.includes(String(one)))
  if (wrong !== undefined)
    return `${its} type ${JSON.stringify(wrong)} is none of ${TYPES.join(', ')}`
  const {required} = schema
  if (required !== undefined && !isTexts(required)) return `${its} required must be a list of names`
  if (schema.enum !== undefined && !Array.isArray(schema.enum)) return `${its} enum must be a list`
  const list = LISTS.find((key) => schema[key] !== undefined && !Array.isArray(schema[key]))
  if (list) return `${its} ${list} must be a list`
  const map = MAPS.find((key) => schema[key] !== undefined && !isObject(schema[key]))
  if (map) return `${its} ${map} must be an object`
  return first(within(schema, at === '' ? '' : `${at}.`))
}

/** The schemas inside of one, with the way to each. */
function* within(schema: JsonObject, at: string): Generator<readonly [unknown, string]> {
  // `true` and `false` are schemas, too.
  for (const key of ONE)
    for (const one of [schema[key] ?? []].flat())
      if (typeof one !== 'boolean') yield [one, `${at}${key}`]
  for (const key of LISTS)
    for (const [index, one] of ((schema[key] ?? []) as unknown[]).entries())
      if (typeof one !== 'boolean') yield [one, `${at}${key}[${index}]`]
  for (const key of MAPS)
    for (const [name, one] of Object.entries((schema[key] ?? {}) as JsonObject))
      if (typeof one !== 'boolean') yield [one, `${at}${key}.${name}`]
}

function first(schemas: Iterable<readonly [unknown, string]>): string | undefined {
  for (const [schema, at] of schemas) {
    const problem = problemAt(schema, at)
    if (problem !== undefined) return problem
  }
  return undefined
}

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isTexts = (value: unknown) =>
  Array.isArray(value) && value.every((one) => typeof one === 'string')
