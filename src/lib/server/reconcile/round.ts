import {askNobody} from '../../cluster/ask.ts'
import type {Cluster} from '../../cluster/node.ts'
import {actionsOf, type ClusterAction, type ClusterPlan} from '../../desired/cluster-plan.ts'
import {describeAction, reasonOf} from '../../desired/describe-action.ts'
import {type FleetMemory, withGrace} from '../../desired/grace.ts'
import {HoldBack} from '../../desired/hold-back.ts'
import {replicaKey} from '../../desired/placement.ts'
import {planCluster} from '../../desired/plan-cluster.ts'
import {OllamaxError} from '../../errors.ts'
import {drainedMeanwhile, refuseEdited} from '../../jobs/desired/apply-desired.ts'
import {makeFleetWork, type WorkTools} from '../../jobs/desired/fleet-work.ts'
import {readFleet} from '../../jobs/desired/read-fleet.ts'
import {runWaves} from '../../jobs/desired/run-waves.ts'
import {withDeployLock} from '../../jobs/with-deploy-lock.ts'
import type {Log} from '../../log/make-log.ts'
import type {EventTeller} from './tell-events.ts'
import {logProgress} from './tell-progress.ts'

export interface RoundOptions {
  readonly events: EventTeller
  readonly log: Pick<Log, 'info' | 'warn'>
  /** For so long after a node answered last, what it has counts still. */
  readonly graceMs: number
  /** False: the cluster file is not one that ollamax changes, so nodes are changed without being drained in it. */
  readonly rolls: boolean
}

const READ = {timeoutMs: 30_000, concurrency: 8}
const AT_ONCE = 4
/** For the requests that run on a node that is to be changed. */
const DRAIN_MS = 600_000
const REASON = 'serve --reconcile'
/** Somebody who changes nodes now is not waited for: the next round comes. */
const LOCK_MS = 500

/** One look after another at a fleet, and what has to be done after each. */
export class Rounds {
  readonly #tools: WorkTools
  readonly #options: RoundOptions
  readonly #holdBack = new HoldBack()
  #memory: FleetMemory = new Map()
  /** Where replicas were last to lie, so that small differences do not move the next choice. */
  #prefer: ReadonlySet<string> = new Set()

  /** What `tools` would ask a person cannot be had here. */
  constructor(tools: WorkTools, options: RoundOptions) {
    this.#tools = {...tools, ask: askNobody}
    this.#options = options
  }

  /** Looks, and does what may be done now. Throws what reading the cluster file throws, and when aborted. */
  async run(): Promise<void> {
    const {events} = this.#options
    const before = await this.#plan()
    if (this.#allowed(before.plan).length === 0) {
      events.over('lock')
      return
    }
    const {name} = before.cluster
    const reason = `${REASON}, ${actionsOf(before.plan).length} to do`
    try {
      await withDeployLock(this.#tools, {reason, cluster: name, timeoutMs: LOCK_MS}, async () => {
        events.over('lock')
        // Whoever held it may have done all of it.
        const {cluster, plan} = await this.#plan()
        await this.#do(cluster, plan)
      })
    } catch (error) {
      if (!OllamaxError.is(error, 'LOCKED')) throw error
      events.tellChange('lock', 'busy', `somebody else changes nodes now: ${error.message}`)
    }
  }

  #allowed = (plan: ClusterPlan) => this.#holdBack.allowed(plan.waves, performance.now())

  async #plan(): Promise<{readonly cluster: Cluster; readonly plan: ClusterPlan}> {
    const {events, graceMs} = this.#options
    const cluster = await this.#tools.cluster()
    const {states: seen} = await readFleet(this.#tools, cluster, READ)
    const {states, memory} = withGrace(this.#memory, seen, {nowMs: performance.now(), graceMs})
    this.#memory = memory
    const plan = planCluster(cluster, states, {prefer: this.#prefer})
    this.#prefer = new Set(plan.replicas.map(({model, node}) => replicaKey(model, node)))
    const lost = states.flatMap(({name, silent}) => (silent && !silent.counts ? [name] : []))
    events.tellPlan(
      plan,
      new Set(lost),
      states.map(({name}) => name),
    )
    return {cluster, plan}
  }

  async #do(cluster: Cluster, plan: ClusterPlan): Promise<void> {
    const {events} = this.#options
    const {signal} = this.#tools
    const waves = this.#allowed(plan)
    const actions = new Map(actionsOf({waves}).map((action) => [keyOf(action), action]))
    const progress = logProgress(this.#options.log)
    const work = makeFleetWork(this.#tools, {
      ...{cluster, rolls: this.#options.rolls, reason: REASON, drainMs: DRAIN_MS},
      report: progress.report,
    })
    const waved = runWaves(waves, {
      work,
      concurrency: AT_ONCE,
      signal,
      onWave: async (wave) => {
        refuseEdited(cluster, await this.#tools.cluster(), [])
        for (const action of wave.actions)
          events.tell(
            'begun',
            `${action.node}: ${describeAction(action)} (${reasonOf(action)})`,
            action.node,
          )
      },
      hindrance: async (action) => drainedMeanwhile(action, await this.#tools.cluster()),
      onDone: ({node, what, kind, model, outcome, why, error}) => {
        const action = actions.get(`${kind} ${node} ${model ?? ''}`)
        if (outcome === 'failed' && action) this.#holdBack.failed(action, performance.now())
        if (outcome === 'done' && action) this.#holdBack.done(action)
        if (outcome === 'not-begun') return
        const more = error?.message ?? why
        events.tell(outcome, `${node}: ${what}${more === undefined ? '' : `: ${more}`}`, node)
      },
    })
    await waved.finally(progress.stop)
  }
}

const keyOf = (action: ClusterAction) =>
  `${action.kind} ${action.node} ${action.kind === 'setup' ? '' : action.model}`
