import type {Cluster} from '../../cluster/node.ts'
import type {Reporter} from '../../cluster/report.ts'
import {actionsOf, type ClusterAction, planChanges} from '../../desired/cluster-plan.ts'
import {describeAction} from '../../desired/describe-action.ts'
import {replicaKey} from '../../desired/placement.ts'
import {OllamaxError} from '../../errors.ts'
import {inspectArtifact} from '../../provision/artifact.ts'
import {confirmed} from '../confirm.ts'
import {interruptedAfter} from '../interrupted.ts'
import {withDeployLock} from '../with-deploy-lock.ts'
import {makeFleetWork, type WorkTools} from './fleet-work.ts'
import {
  type DesiredPlan,
  type PlanDesiredOptions,
  planDesired,
  planFailure,
} from './plan-desired.ts'
import {type DoneAction, runWaves} from './run-waves.ts'

export interface ApplyDesiredOptions extends Omit<PlanDesiredOptions, 'prefer'> {
  /** Do not ask. */
  readonly yes: boolean
  /** Path of an archive for hosts that lack the version they should have. */
  readonly artifact?: string | undefined
  /** Longest wait for the requests that run on a node that is to be changed. */
  readonly drainMs: number
  /** Called with what would be done, before it is asked for. */
  readonly show: (plan: DesiredPlan) => void
  /** Runs what is done and shows its progress; nothing is asked or shown within. */
  readonly doing: <T>(work: (report: Reporter) => Promise<T>) => Promise<T>
}

/** What was done. */
export interface AppliedPlan {
  readonly cluster: string
  readonly actions: readonly DoneAction[]
  /** How many actions a plan made afterwards still has; `unknown` where one failed. */
  readonly left: number | 'unknown'
}

/**
 * Makes the fleet what the cluster file wants: plans, shows, asks, plans again under the deploy lock, and does it wave by
 * wave until one is bad. PLAN_UNMET, PLAN_CHANGED (it is not any more what was shown), LOCKED, CONFIRM_NEEDED,
 * NOT_CONFIRMED; what failed is in the rows.
 */
export async function applyDesired(
  tools: WorkTools,
  options: ApplyDesiredOptions,
): Promise<AppliedPlan> {
  const {signal} = tools
  const {artifact} = options
  // A bad one is told before anybody is asked.
  if (artifact !== undefined) await inspectArtifact(artifact, {signal})
  const {plan: shown} = await planDesired(tools, options)
  options.show(shown)
  const failure = planFailure(shown)
  if (failure) throw failure
  if (shown.changes === 0) return {cluster: shown.cluster, actions: [], left: 0}
  await confirmed(tools, options.yes, questionOf(shown))
  const work = (report: Reporter) => doShown(tools, {shown, options, report})
  return withDeployLock(tools, {reason: reasonOf(shown)}, () => options.doing(work))
}

interface Confirmed {
  readonly shown: DesiredPlan
  readonly options: ApplyDesiredOptions
  readonly report: Reporter
}

async function doShown(
  tools: WorkTools,
  {shown, options, report}: Confirmed,
): Promise<AppliedPlan> {
  const prefer = new Set(shown.replicas.map(({model, node}) => replicaKey(model, node)))
  const {plan, cluster} = await planDesired(tools, {...options, prefer})
  refuseChanged(shown, plan)
  const actions = await doPlan(tools, {plan, cluster, options, report})
  const bad = actions.some(({outcome}) => outcome === 'failed')
  const left = bad ? 'unknown' : (await planDesired(tools, {...options, prefer})).plan.changes
  return {cluster: plan.cluster, actions, left}
}

interface Doing extends Omit<Confirmed, 'shown'> {
  readonly plan: DesiredPlan
  readonly cluster: Cluster
}

async function doPlan(
  tools: WorkTools,
  {plan, cluster, options, report}: Doing,
): Promise<DoneAction[]> {
  const done: DoneAction[] = []
  const {artifact, drainMs} = options
  const reason = reasonOf(plan)
  const work = makeFleetWork(tools, {cluster, artifact, drainMs, rolls: true, reason, report})
  const words = ({node, what}: DoneAction) => `${node}: ${what}`
  try {
    return await runWaves(plan.waves, {
      work,
      concurrency: options.concurrency,
      signal: tools.signal,
      onWave: async () => refuseEdited(cluster, await tools.cluster(), done.map(words)),
      hindrance: async (action) => drainedMeanwhile(action, await tools.cluster()),
      onDone: (row) => {
        done.push(row)
        const text = row.error?.message ?? row.why ?? row.what
        report({kind: 'end', subject: row.node, ok: row.outcome !== 'failed', text})
      },
    })
  } catch (error) {
    if (!tools.signal.aborted) throw error
    const finished = done.filter(({outcome}) => outcome === 'done').map(words)
    const all = actionsOf(plan).map((action) => `${action.node}: ${describeAction(action)}`)
    throw interruptedAfter(tools.signal, finished, all)
  }
}

/** No model is brought to a node that somebody drained after the plan was made. */
export function drainedMeanwhile(action: ClusterAction, now: Cluster): string | undefined {
  if (action.kind === 'setup' || action.kind === 'remove') return undefined
  const node = now.nodes.find(({name}) => name === action.node)
  return node?.drained ? 'it was drained meanwhile' : undefined
}

/** PLAN_CHANGED where the file wants something else than what is being done. That a node was drained is no such thing. */
export function refuseEdited(before: Cluster, now: Cluster, done: readonly string[]): void {
  if (wishesOf(before) === wishesOf(now)) return
  const so = done.length > 0 ? `done so far: ${done.join(', ')}` : 'nothing was done'
  throw new OllamaxError('PLAN_CHANGED', `the cluster file was changed meanwhile; ${so}`, {
    suggestions: ['see what is to be done now: ollamax plan', 'then: ollamax apply'],
    details: {done},
  })
}

const wishesOf = ({nodes, groups, models, aliases}: Cluster) =>
  JSON.stringify([nodes.map((node) => ({...node, drained: false})), groups, models, aliases])

function refuseChanged(shown: DesiredPlan, now: DesiredPlan): void {
  const {gone, added} = planChanges(shown, now)
  if (gone.length + added.length === 0) return
  const list = (actions: readonly ClusterAction[]) =>
    actions.map((action) => `${action.node}: ${describeAction(action)}`).join('; ')
  const parts = [
    ...(gone.length > 0 ? [`no longer to be done: ${list(gone)}`] : []),
    ...(added.length > 0 ? [`to be done as well: ${list(added)}`] : []),
  ]
  throw new OllamaxError(
    'PLAN_CHANGED',
    `the plan is not any more what was shown, and nothing was done; ${parts.join('; ')}`,
    {suggestions: ['look at it and run this again: ollamax apply']},
  )
}

const many = (count: number) => (count === 1 ? 'this' : `these ${count} things`)

function questionOf(plan: DesiredPlan): string {
  const others = actionsOf(plan).flatMap((action) =>
    action.kind === 'setup' && action.takesOver !== undefined
      ? [`${action.node}: ${action.takesOver}, is set to listen on loopback alone and restarted.`]
      : [],
  )
  return [...others, `Do ${many(plan.changes)}?`].join(' ')
}

const reasonOf = ({changes}: DesiredPlan) => `apply, ${changes} change${changes === 1 ? '' : 's'}`
