import {OllamaxError} from '../errors.ts'
import type {RemovedNode} from '../jobs/remove-node.ts'

/** A line per node, and one for each thing that stays on its machine. */
export function describeRemoved(nodes: readonly RemovedNode[]): string {
  return nodes
    .flatMap((node) => [
      `${node.name}: ${about(node)}`,
      ...node.left.map((text) => `${node.name}: left there: ${text}`),
    ])
    .join('\n')
}

function about(node: RemovedNode): string {
  if (!node.removed) return `not removed: ${node.error?.message ?? 'unknown'}`
  if (node.uninstall === 'not-asked') return 'removed from the cluster; its machine was not touched'
  if (node.uninstall === 'nothing-there')
    return 'removed from the cluster; there was nothing of ollamax on its machine'
  const restored =
    node.restored === undefined
      ? ''
      : `; Ollama ${node.restored}, which was there before, runs again`
  return `removed from the cluster, and its machine is as it was before${restored}`
}

/** SOME_NODES_FAILED with all rows; undefined if none failed. */
export function removalFailure(nodes: readonly RemovedNode[]): OllamaxError | undefined {
  const failed = nodes.filter((node) => !node.removed)
  if (failed.length === 0) return undefined
  return new OllamaxError(
    'SOME_NODES_FAILED',
    [
      `${failed.length} of ${nodes.length} nodes could not be removed:`,
      ...failed.map((node) => `${node.name}: ${node.error?.message}`),
    ].join('\n'),
    {
      suggestions: [...new Set(failed.flatMap((node) => node.error?.suggestions ?? []))],
      details: {nodes},
    },
  )
}
