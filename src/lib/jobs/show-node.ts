import {describeTarget} from '../cluster/describe-node.ts'
import type {NodeSpec, WantedOllama} from '../cluster/node.ts'
import {oneNode} from '../cluster/select.ts'
import {type LastReading, lastReadings} from '../state/readings.ts'
import type {Tools} from './tools.ts'

/** One node: `wanted` as the cluster file says, `last` as it was when someone last looked. */
export interface ShownNode {
  readonly cluster: string
  readonly node: {
    readonly name: string
    readonly kind: NodeSpec['kind']
    readonly target: string
    readonly labels: Readonly<Record<string, string>>
    readonly drained: boolean
    readonly ollama: WantedOllama
    readonly wanted: {
      readonly hostKey?: string
      readonly install?: string
      readonly ca?: string
      /** Names of the headers that are sent; their values may be secret. */
      readonly headers?: readonly string[]
    }
  }
  readonly last?: {
    readonly state: 'up' | 'down'
    /** ISO time. */
    readonly seenAt: string
    readonly version?: string
    readonly models?: number
    readonly loaded?: readonly string[]
    readonly reason?: string
  }
}

/** Shows one node without any network. NODE_NOT_FOUND, with the nearest name. */
export async function showNode(
  tools: Pick<Tools, 'cluster' | 'paths'>,
  name: string,
): Promise<ShownNode> {
  const cluster = await tools.cluster()
  const node = oneNode(cluster.nodes, name)
  const last = lastReadings(tools.paths, cluster.name).get(name)
  return {
    cluster: cluster.name,
    node: {
      name,
      kind: node.kind,
      target: describeTarget(node),
      labels: node.labels,
      drained: node.drained,
      ollama: node.ollama,
      wanted: wantedOf(node),
    },
    ...(last ? {last: lastOf(last)} : {}),
  }
}

function wantedOf(node: NodeSpec): ShownNode['node']['wanted'] {
  if (node.kind === 'ssh') {
    const {hostKey, install} = node
    return {...(hostKey ? {hostKey} : {}), ...(install ? {install} : {})}
  }
  if (node.kind === 'direct') {
    const headers = Object.keys(node.headers)
    return {...(node.ca ? {ca: node.ca} : {}), ...(headers.length > 0 ? {headers} : {})}
  }
  return {}
}

function lastOf(last: LastReading): NonNullable<ShownNode['last']> {
  const seenAt = new Date(last.atMs).toISOString()
  if (last.state === 'down') return {state: 'down', seenAt, reason: last.message ?? 'unknown'}
  return {
    state: 'up',
    seenAt,
    ...(last.version === undefined ? {} : {version: last.version}),
    models: last.models,
    loaded: last.loaded,
  }
}
