import type {NodeState} from './fleet-state.ts'

/** What is remembered of a node while it is watched. */
export interface Remembered {
  /** How it was when it last answered; absent: it never did. */
  readonly last?: NodeState
  /** When it last answered, or was first looked at. */
  readonly atMs: number
}

export type FleetMemory = ReadonlyMap<string, Remembered>

export interface GraceOptions {
  readonly nowMs: number
  /** For so long after a node answered last, what it has counts still. */
  readonly graceMs: number
}

/**
 * The fleet with what is remembered of nodes that do not answer now: within the grace time their replicas count, and
 * they are left alone. A host whose Ollama alone is silent has the same time to come back by itself.
 */
export function withGrace(
  memory: FleetMemory,
  states: readonly NodeState[],
  {nowMs, graceMs}: GraceOptions,
): {readonly states: readonly NodeState[]; readonly memory: FleetMemory} {
  const after = new Map<string, Remembered>()
  const now = states.map((state): NodeState => {
    const answers = !state.silent && state.models !== 'unknown'
    if (answers) {
      after.set(state.name, {last: state, atMs: nowMs})
      return state
    }
    const before = memory.get(state.name) ?? {atMs: nowMs}
    after.set(state.name, before)
    const counts = nowMs - before.atMs < graceMs
    if (!state.silent && !counts) return state
    const reason = state.silent?.reason ?? 'its Ollama does not answer'
    return {...(before.last ?? state), loaded: [], silent: {reason, counts}}
  })
  return {states: now, memory: after}
}
