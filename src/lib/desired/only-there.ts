import {modelKey} from '../cluster/model-name.ts'
import type {LoadedModel, ModelTag} from '../cluster/reading.ts'

/** What a node can answer for. */
export interface Holding {
  readonly name: string
  /** `unknown` is not counted on. */
  readonly models: readonly Pick<ModelTag, 'name' | 'digest'>[] | 'unknown'
  readonly loaded: readonly Pick<LoadedModel, 'name' | 'digest'>[]
  /** It answers, and is not drained. */
  readonly serves: boolean
}

/**
 * Models that are in use (in memory, or named by the cluster file: `wanted` has their keys) and that nobody can answer for
 * while these nodes take no requests, by name.
 */
export function onlyThere(
  without: readonly string[],
  fleet: readonly Holding[],
  wanted: ReadonlySet<string>,
): string[] {
  const serving = fleet.filter(({serves}) => serves)
  const keysOf = ({models}: Holding) =>
    models === 'unknown' ? [] : models.map(({name}) => modelKey(name))
  const elsewhere = new Set(
    serving.filter(({name}) => !without.includes(name)).flatMap((holding) => keysOf(holding)),
  )
  const found = serving
    .filter(({name}) => without.includes(name))
    .flatMap(({models, loaded}) => {
      const digests = new Set(loaded.map(({digest}) => digest))
      return models === 'unknown'
        ? []
        : models.filter(({name, digest}) => {
            const key = modelKey(name)
            return !elsewhere.has(key) && (digests.has(digest) || wanted.has(key))
          })
    })
  return [...new Set(found.map(({name}) => name))].sort()
}

/** The warning about them; undefined: there is none of them. */
export function onlyThereText(
  nodes: readonly string[],
  models: readonly string[],
): string | undefined {
  if (models.length === 0) return undefined
  const one = models.length === 1
  const who = nodes.length === 1 ? 'it is' : `${nodes.join(', ')} are`
  return `nobody answers for ${models.join(', ')} while ${who} changed: no other node that serves has ${one ? 'it' : 'them'}`
}
