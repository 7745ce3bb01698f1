import {modelKey} from '../cluster/model-name.ts'
import {OllamaxError} from '../errors.ts'
import type {Tools} from './tools.ts'

export interface AliasModelOptions {
  /** Absent: only tell those that there are. */
  readonly alias?: string | undefined
  /** The model that it shall mean. */
  readonly model?: string | undefined
  /** Take the alias away. */
  readonly off: boolean
}

/** All aliases of the cluster, and whether anything was changed. */
export interface Aliases {
  readonly changed: boolean
  readonly aliases: Readonly<Record<string, string>>
}

/**
 * Sets or takes away an alias in the cluster file, or tells them all. CONFIG_INVALID for what cannot be one, BAD_INPUT,
 * MODEL_NOT_FOUND for an alias that there is not.
 */
export async function aliasModel(
  tools: Pick<Tools, 'cluster' | 'editCluster'>,
  {alias, model, off}: AliasModelOptions,
): Promise<Aliases> {
  if (alias === undefined) return {changed: false, aliases: (await tools.cluster()).aliases ?? {}}
  if (off === (model !== undefined))
    throw new OllamaxError('BAD_INPUT', `say either what "${alias}" shall mean, or --off`, {
      suggestions: [
        `ollamax model alias ${alias} llama3.2:3b`,
        `ollamax model alias ${alias} --off`,
      ],
    })
  return tools.editCluster((edit) => {
    const before = edit.cluster.aliases ?? {}
    const known = Object.keys(before).find((name) => modelKey(name) === modelKey(alias))
    if (model === undefined && known === undefined)
      throw new OllamaxError('MODEL_NOT_FOUND', `there is no alias "${alias}"`, {
        suggestions: ['see them all: ollamax model alias'],
      })
    const changed = known === undefined || before[known] !== model
    if (changed) edit.set(['aliases', known ?? alias], model)
    return {changed, aliases: edit.cluster.aliases ?? {}}
  })
}
