import type {Reporter} from '../cluster/report.ts'
import type {Selection} from '../cluster/select.ts'
import {deleteModel, keepInMemory} from '../ollama/client.ts'
import {confirmed} from './confirm.ts'
import {eachOf} from './each-of.ts'
import {failureOf, type NodeFailure} from './node-failure.ts'
import {type Holder, holdersOf, notFound, type ReadingTools} from './nodes-with-model.ts'
import {refusePinned} from './refuse-pinned.ts'
import type {Tools} from './tools.ts'

export interface RemoveModelOptions {
  readonly model: string
  /** Where; both empty: from all nodes that have it. */
  readonly selection: Selection
  /** Do not ask. */
  readonly yes: boolean
  readonly report: Reporter
}

/** How it went on one node. */
export interface RemovedModelNode {
  readonly node: string
  readonly outcome: 'removed' | 'failed'
  /** It was in memory, and was unloaded first. */
  readonly unloaded: boolean
  readonly error?: NodeFailure
}

export interface RemovedModel {
  readonly model: string
  readonly nodes: readonly RemovedModelNode[]
  /** Nodes that did not answer: they may have it still. */
  readonly unknown: readonly string[]
}

const AT_ONCE = 16
const CALL = {connectTimeoutMs: 10_000, headersTimeoutMs: 60_000, idleTimeoutMs: 60_000}

/**
 * Takes a model off nodes; one that is in memory there is unloaded first, and the question says so. Asks:
 * CONFIRM_NEEDED, NOT_CONFIRMED; MODEL_NOT_FOUND where none of the nodes has it, MODEL_PINNED.
 */
export async function removeModel(
  tools: ReadingTools & Pick<Tools, 'ask'>,
  options: RemoveModelOptions,
): Promise<RemovedModel> {
  const {model, selection, report} = options
  refusePinned(await tools.cluster(), model, 'removed')
  const {holders, down} = await holdersOf(tools, model, selection)
  const having = holders.filter((holder) => holder.tag)
  if (having.length === 0)
    throw notFound(
      model,
      holders.map(({node}) => node.name),
    )
  await confirmed(tools, options.yes, question(model, having))
  const nodes = await eachOf(having, AT_ONCE, async (holder): Promise<RemovedModelNode> => {
    const {node, loaded} = holder
    try {
      await removeFrom(tools, holder)
      report({kind: 'end', subject: node.name, ok: true, text: 'removed'})
      return {node: node.name, outcome: 'removed', unloaded: loaded}
    } catch (error) {
      tools.signal.throwIfAborted()
      const failure = failureOf(error)
      report({kind: 'end', subject: node.name, ok: false, text: failure.message})
      return {node: node.name, outcome: 'failed', unloaded: false, error: failure}
    }
  })
  return {model, nodes, unknown: down.map(({node}) => node)}
}

function question(model: string, having: readonly Holder[]): string {
  const names = (list: readonly Holder[]) => list.map(({node}) => node.name).join(', ')
  const loaded = having.filter((holder) => holder.loaded)
  const busy =
    loaded.length > 0
      ? ` It is in memory on ${names(loaded)}: what it answers now is finished first.`
      : ''
  return `Remove ${model} from ${names(having)}?${busy}`
}

async function removeFrom(
  tools: Pick<Tools, 'endpoint' | 'signal'>,
  {node, tag, loaded}: Holder,
): Promise<void> {
  const name = tag?.name ?? ''
  const endpoint = await tools.endpoint(node)
  const call = {...CALL, signal: tools.signal}
  // Deleted while it is loaded, it would stay in memory until its time is up.
  if (loaded) await keepInMemory(endpoint, {model: name, keepAlive: 0}, call)
  await deleteModel(endpoint, name, call)
}
