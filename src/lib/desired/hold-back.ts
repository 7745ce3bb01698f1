import {actionKey, type ClusterAction, type Wave} from './cluster-plan.ts'

const FIRST_MS = 30_000
const LONGEST_MS = 1_800_000

interface Failures {
  readonly count: number
  readonly untilMs: number
}

/** Actions that failed wait before they are tried again: half a minute, then twice as long each time, up to half an hour. */
export class HoldBack {
  readonly #failures = new Map<string, Failures>()

  failed(action: ClusterAction, nowMs: number): void {
    const count = (this.#failures.get(actionKey(action))?.count ?? 0) + 1
    const waitMs = Math.min(LONGEST_MS, FIRST_MS * 2 ** (count - 1))
    this.#failures.set(actionKey(action), {count, untilMs: nowMs + waitMs})
  }

  done(action: ClusterAction): void {
    this.#failures.delete(actionKey(action))
  }

  /** What may be tried now. What needs a replica that is held back is held back with it. */
  allowed(waves: readonly Wave[], nowMs: number): Wave[] {
    const missing = new Set<string>()
    const allowed = waves.map(({title, actions}) => ({
      title,
      actions: actions.filter((action) => {
        const held = (this.#failures.get(actionKey(action))?.untilMs ?? 0) > nowMs
        const lacks = needsOf(action).some((need) => missing.has(need))
        if ((held || lacks) && (action.kind === 'pull' || action.kind === 'copy'))
          missing.add(`${action.model}@${action.node}`)
        return !held && !lacks
      }),
    }))
    return allowed.filter(({actions}) => actions.length > 0)
  }
}

/** Replicas that must be there before an action. */
function needsOf(action: ClusterAction): string[] {
  if (action.kind === 'copy') return action.from.map((node) => `${action.model}@${node}`)
  return action.kind === 'warm' ? [`${action.model}@${action.node}`] : []
}
