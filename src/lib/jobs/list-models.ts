import {type FleetModel, fleetModels} from '../cluster/fleet-models.ts'
import type {Selection} from '../cluster/select.ts'
import {lookAt} from './look-at.ts'
import type {Tools} from './tools.ts'

/** The models of a fleet, and the nodes that could not be asked. */
export interface ListedModels {
  readonly cluster: string
  readonly models: readonly FleetModel[]
  /** Nodes that answered. */
  readonly asked: readonly string[]
  readonly down: readonly {
    readonly node: string
    readonly code: string
    readonly message: string
  }[]
}

export type ListModelsTools = Pick<
  Tools,
  'cluster' | 'endpoint' | 'signal' | 'paths' | 'clusterName'
>

/** Asks the selected nodes for their models, all at once. A node that does not answer is in `down`. */
export async function listModels(
  tools: ListModelsTools,
  selection: Selection,
  timeoutMs?: number,
): Promise<ListedModels> {
  const readings = await lookAt(tools, selection, timeoutMs)
  return {
    cluster: tools.clusterName(),
    models: fleetModels(readings),
    asked: readings.flatMap((r) => (r.kind === 'up' ? [r.node] : [])),
    down: readings.flatMap((r) =>
      r.kind === 'down' ? [{node: r.node, code: r.code, message: r.message}] : [],
    ),
  }
}
