import {setTimeout as pause} from 'node:timers/promises'
import type {ClusterAction, Wave} from '../../desired/cluster-plan.ts'
import {describeAction} from '../../desired/describe-action.ts'
import {eachOf} from '../each-of.ts'
import {failureOf, type NodeFailure} from '../node-failure.ts'
import type {FleetWork} from './fleet-work.ts'

/** What became of an action. */
export interface DoneAction {
  readonly node: string
  readonly kind: ClusterAction['kind']
  readonly model?: string
  /** In words. */
  readonly what: string
  /** `left-out`: see `why`; `not-begun`: one before it failed. */
  readonly outcome: 'done' | 'failed' | 'left-out' | 'not-begun'
  readonly ms: number
  readonly why?: string
  readonly error?: NodeFailure
}

export interface RunWavesOptions {
  readonly work: FleetWork
  readonly concurrency: number
  /** Asked before each action: why it is not to be done any more. It may throw, which ends everything. */
  readonly hindrance: (action: ClusterAction) => Promise<string | undefined> | string | undefined
  readonly onDone: (done: DoneAction) => void
  /** Called before each wave; throws where nothing more is to be done. */
  readonly onWave?: (wave: Wave) => Promise<void>
  readonly signal: AbortSignal
}

/** After Ollama was changed somewhere, so that gateways find those nodes up again before others go. */
const SETTLE_MS = 6000

/** Does wave after wave, and none after one in which something failed. Throws only at an abort and what `onWave` throws. */
export async function runWaves(
  waves: readonly Wave[],
  options: RunWavesOptions,
): Promise<DoneAction[]> {
  const {signal, concurrency, onDone} = options
  const rows: DoneAction[] = []
  let stopped = false
  for (const wave of waves) {
    if (stopped) {
      rows.push(...wave.actions.map((action) => rowOf(action, 'not-begun', 0)))
      continue
    }
    signal.throwIfAborted()
    await options.onWave?.(wave)
    const done = await eachOf(unitsOf(wave.actions), concurrency, async (unit) => {
      const of = await runUnit(unit, options)
      for (const row of of) onDone(row)
      return of
    })
    rows.push(...done.flat())
    const changed = done.flat().some(({kind, outcome}) => kind === 'setup' && outcome === 'done')
    if (changed && wave !== waves.at(-1)) await pause(SETTLE_MS, undefined, {signal})
    stopped = done.flat().some(({outcome}) => outcome === 'failed')
  }
  return rows
}

/** Copies of one model are one unit: each byte is then read once for all of them. */
function unitsOf(actions: readonly ClusterAction[]): ClusterAction[][] {
  const units = new Map<string, ClusterAction[]>()
  for (const action of actions) {
    const key = action.kind === 'copy' ? `copy ${action.model}` : `${units.size}`
    units.set(key, [...(units.get(key) ?? []), action])
  }
  return [...units.values()]
}

async function runUnit(
  actions: readonly ClusterAction[],
  {work, hindrance, signal}: RunWavesOptions,
): Promise<DoneAction[]> {
  const startMs = performance.now()
  const ms = () => Math.round(performance.now() - startMs)
  const rows: DoneAction[] = []
  const left: ClusterAction[] = []
  for (const action of actions) {
    const why = await hindrance(action)
    if (why === undefined) left.push(action)
    else rows.push({...rowOf(action, 'left-out', 0), why})
  }
  if (left.length === 0) return rows
  try {
    const failures = await doAll(left, work)
    for (const action of left) {
      const error = failures.get(action.node)
      rows.push({...rowOf(action, error ? 'failed' : 'done', ms()), ...(error ? {error} : {})})
    }
  } catch (thrown) {
    signal.throwIfAborted()
    const error = failureOf(thrown)
    rows.push(...left.map((action) => ({...rowOf(action, 'failed', ms()), error})))
  }
  return rows
}

async function doAll(
  actions: readonly ClusterAction[],
  work: FleetWork,
): Promise<ReadonlyMap<string, NodeFailure>> {
  const copies = actions.flatMap((action) => (action.kind === 'copy' ? [action] : []))
  if (copies.length > 0) return work.copy(copies)
  for (const action of actions) await doOne(action, work)
  return new Map()
}

async function doOne(action: ClusterAction, work: FleetWork): Promise<void> {
  switch (action.kind) {
    case 'setup':
      return work.setup(action)
    case 'pull':
      return work.pull(action)
    case 'warm':
      return work.warm(action)
    case 'remove':
      return work.remove(action)
    case 'copy':
      throw new Error('copies are done together')
  }
}

function rowOf(action: ClusterAction, outcome: DoneAction['outcome'], ms: number): DoneAction {
  const {node, kind} = action
  const model = kind === 'setup' ? {} : {model: action.model}
  return {node, kind, ...model, what: describeAction(action), outcome, ms}
}
