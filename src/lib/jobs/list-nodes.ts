import {describeTarget} from '../cluster/describe-node.ts'
import type {NodeSpec} from '../cluster/node.ts'
import {type Selection, selectNodes} from '../cluster/select.ts'
import {type LastReading, lastReadings} from '../state/readings.ts'
import type {Tools} from './tools.ts'

/** A node as it is wanted, and as it was when someone last looked. */
export interface ListedNode {
  readonly name: string
  readonly kind: NodeSpec['kind']
  readonly target: string
  readonly labels: Readonly<Record<string, string>>
  readonly drained: boolean
  /** `unknown`: nobody has looked yet. */
  readonly state: 'up' | 'down' | 'unknown'
  /** Of Ollama, when last seen. */
  readonly version?: string
  /** Models on disk when last seen up. */
  readonly models?: number
  /** Names of the models in memory when last seen up. */
  readonly loaded?: readonly string[]
  /** Why it was down. */
  readonly reason?: string
  /** ISO time of that look. */
  readonly seenAt?: string
}

/** Lists nodes without any network: wanted state, and what earlier commands saw. */
export async function listNodes(
  tools: Pick<Tools, 'cluster' | 'paths'>,
  selection: Selection,
): Promise<{readonly cluster: string; readonly nodes: readonly ListedNode[]}> {
  const cluster = await tools.cluster()
  const known = lastReadings(tools.paths, cluster.name)
  const nodes = selectNodes(cluster.nodes, selection)
  return {
    cluster: cluster.name,
    nodes: nodes.map((node) => listed(node, known.get(node.name))),
  }
}

function listed(node: NodeSpec, last: LastReading | undefined): ListedNode {
  const {name, kind, labels, drained} = node
  const wanted = {name, kind, target: describeTarget(node), labels, drained}
  if (!last) return {...wanted, state: 'unknown'}
  const seenAt = new Date(last.atMs).toISOString()
  if (last.state === 'down')
    return {...wanted, state: 'down', reason: last.message ?? 'unknown', seenAt}
  return {
    ...wanted,
    state: 'up',
    ...(last.version === undefined ? {} : {version: last.version}),
    models: last.models,
    loaded: last.loaded,
    seenAt,
  }
}
