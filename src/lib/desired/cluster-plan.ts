import type {Bytes, KeyChange} from './fleet-state.ts'
import type {Replica, Unmet} from './placement.ts'

/** One thing to do, so that the fleet becomes as it is wanted. */
export type ClusterAction =
  | {
      readonly kind: 'setup'
      readonly node: string
      readonly steps: readonly string[]
      readonly changes: readonly KeyChange[]
      readonly takesOver?: string
    }
  | {readonly kind: 'pull'; readonly node: string; readonly model: string; readonly why: string}
  | {
      readonly kind: 'copy'
      readonly node: string
      readonly model: string
      /** Nodes that have it, the best first. */
      readonly from: readonly string[]
      readonly bytes: Bytes
      readonly why: string
    }
  | {
      readonly kind: 'warm'
      readonly node: string
      readonly model: string
      /** Tokens; absent: the node's own. */
      readonly context?: number
      readonly why: string
    }
  | {
      readonly kind: 'remove'
      readonly node: string
      readonly model: string
      readonly bytes: Bytes
      readonly why: string
    }

/** Actions that may be done at the same time; the next wave begins when all of them went well. */
export interface Wave {
  readonly title: string
  readonly actions: readonly ClusterAction[]
}

/** All that has to be done. No waves and no unmet wish: the fleet is as it is wanted, as far as it could be read. */
export interface ClusterPlan {
  readonly waves: readonly Wave[]
  /** Where every wanted model is to lie, with the reason for each choice. */
  readonly replicas: readonly Replica[]
  readonly unmet: readonly Unmet[]
  /** Hosts whose Ollama cannot become as it is wanted, and why. */
  readonly unfit: ReadonlyArray<{readonly node: string; readonly text: string}>
  /** Nodes that could not be read and are left alone. */
  readonly silent: ReadonlyArray<{readonly node: string; readonly reason: string}>
  /** What works, and an operator should know. */
  readonly notes: readonly string[]
}

/** Tells two actions that do the same from others; how they are explained does not count. */
export function actionKey(action: ClusterAction): string {
  const {kind, node} = action
  if (kind === 'setup')
    return [
      kind,
      node,
      ...action.steps,
      ...action.changes.map((it) => `${it.key}=${it.wanted}`),
    ].join(' ')
  const context = kind === 'warm' ? ` ${action.context ?? ''}` : ''
  return `${kind} ${node} ${action.model}${context}`
}

/** All actions, in order. */
export const actionsOf = (plan: Pick<ClusterPlan, 'waves'>) =>
  plan.waves.flatMap(({actions}) => actions)

/** What two plans differ in, each action in words of `describeAction`. */
export function planChanges(
  before: Pick<ClusterPlan, 'waves'>,
  after: Pick<ClusterPlan, 'waves'>,
): {readonly gone: readonly ClusterAction[]; readonly added: readonly ClusterAction[]} {
  const [old, now] = [actionsOf(before), actionsOf(after)]
  const oldKeys = new Set(old.map(actionKey))
  const newKeys = new Set(now.map(actionKey))
  return {
    gone: old.filter((action) => !newKeys.has(actionKey(action))),
    added: now.filter((action) => !oldKeys.has(actionKey(action))),
  }
}
