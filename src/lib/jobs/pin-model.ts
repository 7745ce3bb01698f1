import {modelKey, shortModelName} from '../cluster/model-name.ts'
import type {Reporter} from '../cluster/report.ts'
import {type KeptModelNode, warmModel} from './keep-model.ts'
import {holdersOf, notFound, type ReadingTools} from './nodes-with-model.ts'
import type {Tools} from './tools.ts'

export interface PinModelOptions {
  readonly model: string
  /** Take the pin away. */
  readonly off: boolean
  readonly report: Reporter
}

export interface PinnedModel {
  readonly model: string
  readonly pinned: boolean
  /** False: it was so already. */
  readonly changed: boolean
  readonly nodes: readonly KeptModelNode[]
}

type PinTools = ReadingTools & Pick<Tools, 'dial' | 'editCluster'>

const EVERYWHERE = {names: [], labels: []}
/** What Ollama does where nobody says otherwise. */
const USUAL_SECONDS = 300

/**
 * Marks a model in the cluster file as one that stays in memory and is never unloaded or removed by us, and loads it for
 * ever where it is; or takes the mark away, and lets the nodes unload it when it is idle. MODEL_NOT_FOUND.
 */
export async function pinModel(tools: PinTools, options: PinModelOptions): Promise<PinnedModel> {
  const {off, report} = options
  const model = shortModelName(options.model)
  const {holders} = await holdersOf(tools, model, EVERYWHERE)
  const having = holders.filter(({tag}) => tag)
  if (having.length === 0 && !off)
    throw notFound(
      model,
      holders.map(({node}) => node.name),
    )
  const changed = await tools.editCluster((edit) => {
    const models = edit.cluster.models ?? []
    const at = models.findIndex(({name}) => modelKey(name) === modelKey(model))
    const before = models[at]
    if ((before?.pin ?? false) === !off) return false
    if (before) edit.set(['models', String(at), 'pin'], off ? undefined : true)
    else {
      const entry = {name: model, replicas: having.length, pin: true}
      if (models.length === 0) edit.set(['models'], [entry])
      else edit.set(['models', String(models.length)], entry)
    }
    return true
  })
  const {defaults} = await tools.cluster()
  const names = having.filter(({loaded}) => loaded || !off).map(({node}) => node.name)
  const keepAlive = off ? (defaults?.keepAliveSeconds ?? USUAL_SECONDS) : -1
  const selection = {names, labels: []}
  const {nodes} =
    names.length === 0
      ? {nodes: []}
      : await warmModel(tools, {model, selection, keepAlive, force: off, report})
  return {model, pinned: !off, changed, nodes}
}
