import type {Cluster} from '../../cluster/node.ts'
import {actionsOf, type ClusterPlan} from '../../desired/cluster-plan.ts'
import type {NodeState} from '../../desired/fleet-state.ts'
import {type PlanOptions, planCluster} from '../../desired/plan-cluster.ts'
import {OllamaxError} from '../../errors.ts'
import type {Tools} from '../tools.ts'
import {type FleetTools, type ReadFleetOptions, readFleet} from './read-fleet.ts'

export interface PlanDesiredOptions extends ReadFleetOptions, PlanOptions {}

/** What differs from the cluster file, and what would be done about it. */
export interface DesiredPlan extends ClusterPlan {
  readonly cluster: string
  /** Number of actions in all waves. */
  readonly changes: number
}

/** A plan beside what it was made from. */
export interface Planned {
  readonly cluster: Cluster
  readonly states: readonly NodeState[]
  readonly plan: DesiredPlan
}

/** Looks at all nodes and plans; changes nothing. BAD_INPUT where pruning would remove every model. */
export async function planDesired(
  tools: FleetTools & Pick<Tools, 'cluster'>,
  options: PlanDesiredOptions,
): Promise<Planned> {
  const cluster = await tools.cluster()
  if (options.prune && (cluster.models ?? []).length === 0)
    throw new OllamaxError(
      'BAD_INPUT',
      'the cluster file names no models, so --prune would remove all of them',
      {suggestions: ['name what is to stay under `models:`: ollamax config edit']},
    )
  const {states, notes} = await readFleet(tools, cluster, options)
  const plan = planCluster(cluster, states, options)
  return {
    cluster,
    states,
    plan: {
      cluster: cluster.name,
      changes: actionsOf(plan).length,
      ...plan,
      notes: [...notes, ...plan.notes],
    },
  }
}

/**
 * Why a plan cannot be the whole truth: PLAN_UNMET names every wish that cannot be met and by how much, SOME_NODES_FAILED
 * the nodes that could not be read where nothing else is to be done. Undefined: it is whole.
 */
export function planFailure({
  unmet,
  unfit,
  silent,
  changes,
}: DesiredPlan): OllamaxError | undefined {
  const all = [
    ...unmet.map(({text}) => text),
    ...unfit.map(({node, text}) => `${node} cannot be changed: ${text}`),
  ]
  const [first] = all
  if (first !== undefined)
    return new OllamaxError(
      'PLAN_UNMET',
      all.length === 1
        ? first
        : [`${all.length} wishes cannot be met:`, ...all.map((it) => `  - ${it}`)].join('\n'),
      {
        suggestions: [
          'make room there, add a node, or want less: ollamax config edit',
          ...(silent.length > 0
            ? [`see to ${silent.map(({node}) => node).join(', ')}: ollamax doctor`]
            : []),
        ],
        details: {unmet, unfit},
      },
    )
  if (silent.length === 0 || changes > 0) return undefined
  return new OllamaxError(
    'SOME_NODES_FAILED',
    `nothing is to be done on the nodes that answer; ${silent.map(({node, reason}) => `${node} could not be read: ${reason}`).join('; ')}`,
    {suggestions: ['ollamax doctor', 'a node that is away on purpose: ollamax node drain NODE']},
  )
}
