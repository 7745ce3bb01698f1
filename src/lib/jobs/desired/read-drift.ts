import {actionsOf} from '../../desired/cluster-plan.ts'
import {describeAction} from '../../desired/describe-action.ts'
import type {ClusterStatus} from '../read-status.ts'
import type {Tools} from '../tools.ts'
import {type PlanDesiredOptions, planDesired} from './plan-desired.ts'
import type {FleetTools} from './read-fleet.ts'

/** The status with what apply would do on each of its nodes. */
export async function withDrift(
  tools: FleetTools & Pick<Tools, 'cluster'>,
  status: ClusterStatus,
  options: PlanDesiredOptions,
): Promise<ClusterStatus> {
  const {plan} = await planDesired(tools, options)
  const actions = actionsOf(plan)
  const silent = new Set(plan.silent.map(({node}) => node))
  return {
    ...status,
    nodes: status.nodes.map((node) => ({
      ...node,
      drift: silent.has(node.name)
        ? ('unknown' as const)
        : actions.filter((one) => one.node === node.name).map(describeAction),
    })),
  }
}
