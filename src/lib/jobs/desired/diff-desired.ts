import {type Difference, differencesOf} from '../../desired/differences.ts'
import {unifiedDiff} from '../../desired/unified.ts'
import type {Tools} from '../tools.ts'
import {type DesiredPlan, type PlanDesiredOptions, planDesired} from './plan-desired.ts'
import type {FleetTools} from './read-fleet.ts'

/** What is not as the cluster file wants it. */
export interface DesiredDiff {
  readonly cluster: string
  readonly differences: readonly Difference[]
  /** Files of ours on hosts that would be written anew, as unified diffs. */
  readonly files: ReadonlyArray<{
    readonly node: string
    readonly path: string
    readonly diff: string
  }>
}

/** As `planDesired`, key by key and text by text; beside it, the plan that it comes from. */
export async function diffDesired(
  tools: FleetTools & Pick<Tools, 'cluster'>,
  options: PlanDesiredOptions,
): Promise<{readonly diff: DesiredDiff; readonly plan: DesiredPlan}> {
  const {plan, states} = await planDesired(tools, options)
  const files = states.flatMap(({name: node, silent, setup}) =>
    (silent ? [] : (setup?.texts ?? [])).map(({path, actual, wanted}) => ({
      ...{node, path},
      diff: unifiedDiff(
        {name: `${node}:${path} (actual)`, text: actual},
        {name: `${node}:${path} (wanted)`, text: wanted},
      ),
    })),
  )
  return {diff: {cluster: plan.cluster, differences: differencesOf(plan), files}, plan}
}
