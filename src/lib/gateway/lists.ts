import type {Aliases} from '../cluster/alias.ts'
import {modelKey, shortModelName} from '../cluster/model-name.ts'
import type {FleetNode} from './fleet.ts'

type Entry = Readonly<Record<string, unknown>>

const nameOf = (entry: Entry): string => {
  const {name, model} = entry
  return typeof name === 'string' ? name : typeof model === 'string' ? model : ''
}
const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')

/**
 * `/api/tags` over the fleet: each model once, as the node wrote it whose copy is the newest; newest first, as Ollama sorts.
 * An alias is listed as its model is.
 */
export function tagsOf(
  nodes: readonly FleetNode[],
  mayUse: (model: string) => boolean,
  aliases: Aliases,
): Entry[] {
  const newest = new Map<string, Entry>()
  for (const {tags} of nodes) {
    for (const entry of tags) {
      const name = nameOf(entry)
      const key = modelKey(name)
      const before = newest.get(key)
      if (before && textOf(before.modified_at) >= textOf(entry.modified_at)) continue
      if (name && mayUse(name)) newest.set(key, entry)
    }
  }
  for (const [name, model] of Object.entries(aliases.all)) {
    const entry = newest.get(modelKey(model))
    if (entry) newest.set(modelKey(name), {...entry, name, model: name})
  }
  return [...newest.values()].sort((a, b) =>
    textOf(b.modified_at).localeCompare(textOf(a.modified_at)),
  )
}

/** `/api/ps` over the fleet: a model that several nodes hold stands there once for each, with the node's name beside it. */
export function psOf(nodes: readonly FleetNode[], mayUse: (model: string) => boolean): Entry[] {
  return nodes.flatMap(({spec, ps}) =>
    ps.filter((entry) => mayUse(nameOf(entry))).map((entry) => ({...entry, node: spec.name})),
  )
}

/** One entry of `/v1/models`, as Ollama writes it. */
export interface ModelEntry {
  readonly id: string
  readonly object: 'model'
  /** Seconds since the epoch. */
  readonly created: number
  readonly owned_by: string
}

export function modelsOf(tags: readonly Entry[]): ModelEntry[] {
  return tags.map((entry) => {
    const id = nameOf(entry)
    const seconds = Math.floor(Date.parse(textOf(entry.modified_at)) / 1000)
    const parts = shortModelName(id).split('/')
    return {
      id,
      object: 'model',
      created: Number.isFinite(seconds) ? seconds : 0,
      owned_by: parts.length > 1 ? (parts.at(-2) ?? 'library') : 'library',
    }
  })
}

/** The oldest version among the nodes that are up: what every one of them can do. Undefined if none is. */
export function oldestVersion(nodes: readonly FleetNode[]): string | undefined {
  const versions = nodes.flatMap(({reading}) =>
    reading?.kind === 'up' && reading.version ? [reading.version] : [],
  )
  return versions.sort(byVersion)[0]
}

function byVersion(a: string, b: string): number {
  return a.localeCompare(b, 'en', {numeric: true})
}
