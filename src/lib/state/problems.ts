import {modelKey} from '../cluster/model-name.ts'

export type Path = readonly PropertyKey[]

/** Something that is wrong with a cluster file, and where. */
export interface Problem {
  readonly path: Path
  readonly message: string
  /** The problem is the key itself, not its value. */
  readonly atKey?: boolean
}

const ONLY_FOR: ReadonlyArray<readonly [string, string]> = [
  ['hostKey', 'ssh'],
  ['install', 'ssh'],
  ['headers', 'url'],
  ['ca', 'url'],
]

/** What one key alone cannot tell: duplicate names, a node with two addresses, a key of another kind. */
export function nodeProblems(raw: unknown): Problem[] {
  const problems: Problem[] = []
  const seen = new Map<string, number>()
  const nodes = valueAt(raw, ['nodes'])
  if (!Array.isArray(nodes)) return problems
  for (const [index, entry] of nodes.entries()) {
    if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) continue
    const has = (key: string) => Object.hasOwn(entry, key)
    const kinds = ['ssh', 'url', 'embedded'].filter(has)
    if (kinds.length !== 1) {
      const said = kinds.length === 0 ? 'none' : kinds.join(' and ')
      problems.push({
        path: ['nodes', index],
        message: `needs exactly one of ssh, url and embedded; it has ${said}`,
      })
    }
    for (const [key, kind] of ONLY_FOR)
      if (has(key) && kinds.length === 1 && kinds[0] !== kind)
        problems.push({
          path: ['nodes', index, key],
          atKey: true,
          message: `is only for nodes with ${kind}`,
        })
    const name: unknown = (entry as {name?: unknown}).name
    if (typeof name !== 'string') continue
    const first = seen.get(name)
    if (first === undefined) seen.set(name, index)
    else
      problems.push({
        path: ['nodes', index, 'name'],
        message: `"${name}" is taken by nodes[${first}]`,
      })
  }
  return problems
}

/** What one entry alone cannot tell: a model twice, aliases that hide a model or lead to another alias. */
export function wantedProblems(raw: unknown): Problem[] {
  const problems: Problem[] = []
  const wanted = new Map<string, number>()
  const models = valueAt(raw, ['models'])
  for (const [index, entry] of Array.isArray(models) ? models.entries() : []) {
    const name = valueAt(entry, ['name'])
    if (typeof name !== 'string') continue
    const first = wanted.get(modelKey(name))
    if (first === undefined) wanted.set(modelKey(name), index)
    else
      problems.push({
        path: ['models', index, 'name'],
        message: `"${name}" is the same model as models[${first}]`,
      })
  }
  const named = valueAt(raw, ['aliases'])
  const entries = typeof named === 'object' && named !== null ? Object.entries(named) : []
  const aliases = new Map<string, string>()
  for (const [alias] of entries) {
    const hides = wanted.get(modelKey(alias))
    const same = aliases.get(modelKey(alias))
    if (hides !== undefined)
      problems.push({
        path: ['aliases', alias],
        atKey: true,
        message: `would hide the model models[${hides}]; take another name`,
      })
    if (same === undefined) aliases.set(modelKey(alias), alias)
    else
      problems.push({
        path: ['aliases', alias],
        atKey: true,
        message: `is the same name as aliases.${same}`,
      })
  }
  for (const [alias, target] of entries) {
    const other = typeof target === 'string' ? aliases.get(modelKey(target)) : undefined
    if (other !== undefined)
      problems.push({
        path: ['aliases', alias],
        message:
          other === alias
            ? 'leads to itself; name a model'
            : `leads to the alias "${other}"; name the model itself`,
      })
  }
  return problems
}

/** What stands at a path of the file; undefined: nothing. */
export function valueAt(raw: unknown, path: Path): unknown {
  let at = raw
  for (const step of path) {
    if (typeof at !== 'object' || at === null) return undefined
    at = (at as Record<PropertyKey, unknown>)[step]
  }
  return at
}
