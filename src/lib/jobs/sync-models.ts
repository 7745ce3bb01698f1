import {type FleetModel, fleetModels} from '../cluster/fleet-models.ts'
import {modelKey} from '../cluster/model-name.ts'
import type {Reporter} from '../cluster/report.ts'
import {selectNodes} from '../cluster/select.ts'
import {OllamaxError} from '../errors.ts'
import {confirmed} from './confirm.ts'
import {type CopiedModel, copyModel} from './copy-model.ts'
import type {ReadingTools} from './nodes-with-model.ts'
import {observe} from './observe.ts'
import type {Tools} from './tools.ts'

export interface SyncModelsOptions {
  /** Absent: every model that differs. */
  readonly model?: string | undefined
  /** The node whose content is right; absent: what most nodes have, and of equals what was changed last. */
  readonly from?: string | undefined
  readonly yes: boolean
  readonly report: Reporter
}

/** The models that differed between nodes, each as it was brought to those that had another one. */
export interface SyncedModels {
  readonly models: readonly CopiedModel[]
}

export type SyncTools = ReadingTools & Pick<Tools, 'dial' | 'ask' | 'env'>

/**
 * Makes one name mean one content on all nodes that have it. Asks first, since what the others have is replaced:
 * CONFIRM_NEEDED, NOT_CONFIRMED; MODEL_NOT_FOUND.
 */
export async function syncModels(
  tools: SyncTools,
  options: SyncModelsOptions,
): Promise<SyncedModels> {
  const {nodes} = await tools.cluster()
  const sorted = selectNodes(nodes, {names: [], labels: []})
  const all = fleetModels(await observe(tools, sorted, {timeoutMs: 10_000}))
  const chosen = chosenOf(all, options)
  const plans = chosen.flatMap((model) => planOf(model, options.from) ?? [])
  if (plans.length === 0) return {models: []}
  const words = plans.map(({name, from, to}) => `${name} on ${to.join(', ')} by that of ${from}`)
  await confirmed(tools, options.yes, `Replace ${words.join('; ')}?`)
  const models: CopiedModel[] = []
  for (const {name, from, to} of plans)
    models.push(
      await copyModel(tools, {model: name, from, to, force: true, report: options.report}),
    )
  return {models}
}

function chosenOf(all: readonly FleetModel[], {model}: SyncModelsOptions): readonly FleetModel[] {
  if (model === undefined) return all
  const found = all.filter(({name}) => modelKey(name) === modelKey(model))
  if (found.length > 0) return found
  throw new OllamaxError('MODEL_NOT_FOUND', `no node has ${model}`, {
    suggestions: ['see what the nodes have: ollamax model list'],
  })
}

function planOf({name, versions}: FleetModel, wanted: string | undefined) {
  const right = versions.find(({nodes}) => wanted === undefined || nodes.includes(wanted))
  const to = versions.filter((version) => version !== right).flatMap(({nodes}) => nodes)
  const from = wanted ?? right?.nodes[0]
  return right && from !== undefined && to.length > 0 ? {name, from, to} : undefined
}
