import {describeTarget} from '../cluster/describe-node.ts'
import {checkNodeName} from '../cluster/names.ts'
import type {HookName, NodeSpec} from '../cluster/node.ts'
import type {Reporter} from '../cluster/report.ts'
import {
  editLabels,
  type LabelEdit,
  oneNode,
  type Selection,
  selectNodes,
} from '../cluster/select.ts'
import {OllamaxError} from '../errors.ts'
import {renameBench} from '../state/bench-history.ts'
import {renameRates} from '../state/rates-file.ts'
import {renameReading} from '../state/readings.ts'
import {ratesPath} from './ask-node.ts'
import type {Tools} from './tools.ts'

/**
 * Gives a node another name, also to what was seen and learned of it. BAD_INPUT, NODE_NOT_FOUND, NODE_EXISTS; nothing is
 * changed on the node.
 */
export async function renameNode(
  tools: Pick<Tools, 'editCluster' | 'paths'>,
  from: string,
  to: string,
): Promise<void> {
  checkNodeName(to)
  await tools.editCluster((edit) => {
    const node = oneNode(edit.cluster.nodes, from)
    if (from === to) return
    edit.replaceNode(from, {...node, name: to})
    // Under the lock, so that no other rename comes between. All three are lossy and never fail.
    const {cluster} = edit
    renameReading(tools.paths, cluster.name, {from, to})
    renameRates(ratesPath(tools, cluster), {from, to})
    renameBench(tools.paths, cluster.name, {from, to})
  })
}

/** What a change did to one node. */
export interface EditedNode {
  readonly name: string
  /** False: it was so already. */
  readonly changed: boolean
}

/** Sets and removes labels of the selected nodes. NODE_NOT_FOUND, BAD_INPUT. */
export async function labelNodes(
  tools: Pick<Tools, 'editCluster'>,
  selection: Selection,
  edits: readonly LabelEdit[],
): Promise<Array<EditedNode & {readonly labels: Readonly<Record<string, string>>}>> {
  const nodes = await changeNodes(tools, selection, (node) => ({
    ...node,
    labels: editLabels(node.labels, edits),
  }))
  return nodes.map(({after, changed}) => ({name: after.name, changed, labels: after.labels}))
}

/**
 * Marks nodes as drained (no new request goes there; what runs is finished) or takes the mark away. The hooks for a
 * drain are run; if one of them refuses, no node is marked: HOOK_FAILED.
 */
export async function drainNodes(
  tools: Pick<Tools, 'cluster' | 'editCluster' | 'env' | 'signal' | 'paths' | 'clusterName'>,
  selection: Selection,
  {drained, report}: {readonly drained: boolean; readonly report: Reporter},
): Promise<EditedNode[]> {
  if (selection.names.length === 0 && selection.labels.length === 0)
    throw new OllamaxError('BAD_INPUT', 'no node is named', {
      suggestions: ['name nodes, choose them with --label, or say "*" for all of them'],
    })
  const cluster = await tools.cluster()
  const hook = async (name: HookName, nodes: readonly NodeSpec[]) => {
    const {runHook} = await import('./run-hook.ts')
    for (const node of nodes)
      await runHook(tools, cluster, {name, node: node.name, target: describeTarget(node), report})
  }
  if (drained && cluster.hooks?.['before-drain'])
    await hook(
      'before-drain',
      selectNodes(cluster.nodes, selection).filter((node) => !node.drained),
    )
  const nodes = await changeNodes(tools, selection, (node) => ({...node, drained}))
  if (drained && cluster.hooks?.['after-drain'])
    await hook(
      'after-drain',
      nodes.flatMap(({after, changed}) => (changed ? [after] : [])),
    )
  return nodes.map(({after, changed}) => ({name: after.name, changed}))
}

/** One edit for all of them: either every node is changed or none. */
function changeNodes(
  tools: Pick<Tools, 'editCluster'>,
  selection: Selection,
  change: (node: NodeSpec) => NodeSpec,
): Promise<Array<{readonly after: NodeSpec; readonly changed: boolean}>> {
  return tools.editCluster((edit) =>
    selectNodes(edit.cluster.nodes, selection).map((before) => {
      const after = change(before)
      const changed = JSON.stringify(after) !== JSON.stringify(before)
      if (changed) edit.replaceNode(before.name, after)
      return {after, changed}
    }),
  )
}
