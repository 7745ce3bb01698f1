import type {Cluster, NodeSpec} from '../cluster/node.ts'
import {OllamaxError} from '../errors.ts'
import {takeLease} from '../state/leases.ts'
import {attempt, type Dispatched, type DispatchTools, leaseDir, type Order} from './ask-node.ts'

/**
 * Lets the cluster's gateway answer, if one runs; else the best node, and the next one as long as nothing was shown and the failure is not the
 * caller's. Throws REQUEST_REFUSED (the caller's mistake), MODEL_NOT_FOUND, NO_CANDIDATE, NODE_UNREACHABLE,
 * INFERENCE_FAILED, or STREAM_CUT when it broke after something was shown.
 */
export async function dispatch<T>(tools: DispatchTools, order: Order<T>): Promise<Dispatched<T>> {
  const cluster = await tools.cluster()
  const nodes = eligible(cluster, order.node)
  if (cluster.gateway) {
    const {dispatchThrough} = await import('./dispatch-through.ts')
    const through = await dispatchThrough(tools, order, {cluster, gateway: cluster.gateway})
    if (through) return through
  }
  const [first, second] = nodes
  if (!first || second) {
    const {dispatchAmong} = await import('./dispatch-among.ts')
    return dispatchAmong(tools, order, {cluster, nodes})
  }
  if (order.policy !== undefined)
    (await import('../balancer/policies.ts')).policyNamed(order.policy)
  // Nothing to choose: the request itself will tell what a reading would have told.
  const lease =
    cluster.nodes.length > 1
      ? takeLease(leaseDir(tools, cluster), [first.name], () => first.name)
      : undefined
  try {
    order.note?.({kind: 'asking', node: first.name})
    const tried = await attempt(tools, order, {cluster, node: first})
    if ('value' in tried) return tried
    const {explainFailure} = await import('./explain-failure.ts')
    throw await explainFailure(tools, {order, cluster, nodes, failed: [tried], excluded: []})
  } finally {
    lease?.release()
  }
}

function eligible(cluster: Cluster, name: string | undefined): readonly NodeSpec[] {
  if (name === undefined) return cluster.nodes.filter((node) => !node.drained)
  const found = cluster.nodes.filter((node) => node.name === name)
  if (found.length > 0) return found
  const names = cluster.nodes.map((node) => node.name).join(', ')
  throw new OllamaxError('NODE_NOT_FOUND', `no node "${name}" in cluster "${cluster.name}"`, {
    suggestions: [names ? `one of: ${names}` : 'ollamax node add'],
  })
}
