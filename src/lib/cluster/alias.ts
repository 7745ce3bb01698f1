import {modelKey} from './model-name.ts'
import type {Cluster} from './node.ts'

/** The model that a request means: what the cluster's aliases say, otherwise the name as it is. */
export function resolveAlias({aliases}: Pick<Cluster, 'aliases'>, model: string): string {
  if (!aliases) return model
  const key = modelKey(model)
  const found = Object.keys(aliases).find((alias) => modelKey(alias) === key)
  return found === undefined ? model : (aliases[found] ?? model)
}
