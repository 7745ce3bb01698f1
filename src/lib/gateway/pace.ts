/** How often nodes are looked at, ms. */
export interface Pace {
  /** What is in memory of a node that somebody watches on a screen, who is to see it within a second. */
  readonly watchedMs: number
  /** What is in memory of a node that works for us, or that a request was just sent to. */
  readonly busyMs: number
  /** The same of one that we ask nothing. */
  readonly idleMs: number
  /** Which models it has, and its version: what somebody changes now and then. */
  readonly catalogueMs: number
  /** Longest pause before a node that is down is asked again. */
  readonly downMs: number
}

/**
 * A node that comes back is to be found within ten seconds: that is the longest pause, and what a connection waits for
 * a silent one at most.
 */
export const PACE: Pace = {
  watchedMs: 400,
  busyMs: 2000,
  idleMs: 5000,
  catalogueMs: 30_000,
  downMs: 5000,
}

/** All nodes together are looked at no more often, so that looking stays cheap in large fleets. */
const LOOKS_PER_S = 50
/** The same while somebody watches, which is now and then. */
const WATCHED_LOOKS_PER_S = 500
const FIRST_DOWN_MS = 500

/** The pace for so many nodes. */
export function paceOf(nodes: number): Pace {
  const leastMs = (nodes / LOOKS_PER_S) * 1000
  return {
    watchedMs: Math.max(PACE.watchedMs, (nodes / WATCHED_LOOKS_PER_S) * 1000),
    busyMs: Math.max(PACE.busyMs, leastMs),
    idleMs: Math.max(PACE.idleMs, leastMs),
    catalogueMs: Math.max(PACE.catalogueMs, leastMs),
    downMs: Math.max(PACE.downMs, leastMs),
  }
}

/** Somebody watches as long as he looks so often. */
export const WATCHED_MS = 3000

/** Why a node is looked at. */
export type Interest = 'watched' | 'busy' | 'idle'

/**
 * The pause after a look, ms. `failures`: looks in a row that failed, 0 = it is up. `random`: 0 to 1, so that nodes that
 * went down together are not all asked at the same moments.
 */
export function pauseAfter(
  {failures, interest}: {readonly failures: number; readonly interest: Interest},
  {watchedMs, busyMs, idleMs, downMs}: Pace,
  random: number,
): number {
  if (failures === 0) return {watched: watchedMs, busy: busyMs, idle: idleMs}[interest]
  return Math.min(downMs, FIRST_DOWN_MS * 2 ** (failures - 1)) * (0.5 + random / 2)
}
