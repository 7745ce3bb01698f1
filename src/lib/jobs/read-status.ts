import {describeTarget} from '../cluster/describe-node.ts'
import type {NodeSpec} from '../cluster/node.ts'
import type {LoadedModel, Reading} from '../cluster/reading.ts'
import {type Selection, selectNodes} from '../cluster/select.ts'
import {type NodeUse, readUse} from '../state/leases.ts'
import {leaseDir} from './ask-node.ts'
import {observe} from './observe.ts'
import type {Tools} from './tools.ts'

/** One node now. */
export interface NodeStatus {
  readonly name: string
  readonly kind: NodeSpec['kind']
  readonly target: string
  readonly drained: boolean
  readonly state: 'up' | 'down'
  /** Requests that processes of this machine have under way there. */
  readonly inFlight: number
  /** Of Ollama. */
  readonly version?: string
  /** Of the reading: version, models and loaded models, connecting included. */
  readonly latencyMs?: number
  /** Models on disk. */
  readonly models?: number
  /** Models in memory. */
  readonly loaded?: readonly LoadedModel[]
  /** With `drift`: what apply would do there, in words; `unknown`: it could not be looked at. */
  readonly drift?: readonly string[] | 'unknown'
  /** Why it is down: a code of the error catalogue, and in words. */
  readonly code?: string
  readonly reason?: string
}

/** The selected nodes of a cluster, as they answered just now. */
export interface ClusterStatus {
  readonly cluster: string
  /** ISO time at which all had answered or failed. */
  readonly at: string
  readonly up: number
  readonly down: number
  readonly nodes: readonly NodeStatus[]
}

/**
 * Reads all selected nodes at once; takes no longer than `timeoutMs`. A node that is down is a row with
 * its reason, not an error.
 */
export async function readStatus(
  tools: Pick<Tools, 'cluster' | 'endpoint' | 'signal' | 'paths' | 'clusterName'>,
  selection: Selection,
  timeoutMs: number,
): Promise<ClusterStatus> {
  const cluster = await tools.cluster()
  const chosen = selectNodes(cluster.nodes, selection)
  const readings = await observe(tools, chosen, {timeoutMs})
  const names = chosen.map((node) => node.name)
  const use = readUse(leaseDir(tools, cluster), names)
  const nodes = chosen.map((node, i) => statusOf(node, readings[i], use.get(node.name)))
  const up = nodes.filter((node) => node.state === 'up').length
  const at = new Date().toISOString()
  return {cluster: cluster.name, at, up, down: nodes.length - up, nodes}
}

function statusOf(
  node: NodeSpec,
  reading: Reading | undefined,
  use: NodeUse | undefined,
): NodeStatus {
  const {name, kind, drained} = node
  const base = {name, kind, target: describeTarget(node), drained, inFlight: use?.inFlight ?? 0}
  if (reading?.kind !== 'up') {
    const {code = 'NODE_UNREACHABLE', message = 'unknown'} = reading ?? {}
    return {...base, state: 'down', code, reason: message}
  }
  return {
    ...base,
    state: 'up',
    ...(reading.version === undefined ? {} : {version: reading.version}),
    latencyMs: Math.round(reading.latencyMs),
    models: reading.models.length,
    loaded: reading.loaded,
  }
}
