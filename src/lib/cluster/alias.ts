import {modelKey} from './model-name.ts'
import type {Cluster} from './node.ts'

/** The model that a request means: what the cluster's aliases say, otherwise the name as it is. */
export function resolveAlias({aliases}: Pick<Cluster, 'aliases'>, model: string): string {
  return aliases ? new Aliases(aliases).resolve(model) : model
}

/** The names that a cluster gives to models besides their own. */
export class Aliases {
  /** Name and model as the cluster file has them. */
  readonly all: Readonly<Record<string, string>>
  readonly #models: ReadonlyMap<string, string>

  constructor(all: Readonly<Record<string, string>> = {}) {
    this.all = all
    this.#models = new Map(Object.entries(all).map(([alias, model]) => [modelKey(alias), model]))
  }

  /** The model that is meant; a name that is no alias is its own. */
  resolve(model: string): string {
    if (this.#models.size === 0) return model
    return this.#models.get(modelKey(model)) ?? model
  }
}
