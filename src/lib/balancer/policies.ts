import {nearest} from '../cluster/nearest.ts'
import {OllamaxError} from '../errors.ts'
import type {BalanceRequest, Candidate} from './candidates.ts'
import {expectedTime, type Terms} from './score.ts'

/** A candidate with the time that is expected of it. */
export interface Ranked {
  readonly candidate: Candidate
  readonly terms: Terms
}

export interface RankOptions {
  /** Wall time, ms since the epoch. */
  readonly nowMs: number
  /** 0 <= x < 1; the only source of chance, so that the same one gives the same order. */
  readonly random: () => number
}

/** Numbers to be compared from left to right, the smaller one first. */
type Key = readonly number[]
type Policy = (
  ranked: Ranked,
  to: {readonly best: number; readonly cachedOn: string | undefined},
) => Key

/**
 * Estimates closer than this are the same: the one with less to do goes first, then one that has the model in
 * memory (a long answer must not make a load look small), then the one that was longer unused.
 */
const ALIKE_FACTOR = 1.25
const ALIKE_MS = 20

const isLoaded = ({residency}: Candidate) => (residency === 'loaded' ? 0 : 1)
const isCached = ({node}: Candidate, cachedOn: string | undefined) => (node === cachedOn ? 0 : 1)

const POLICIES = {
  'expected-time': ({candidate, terms}, {best, cachedOn}) =>
    terms.totalMs <= best * ALIKE_FACTOR + ALIKE_MS
      ? [
          0,
          candidate.inFlight,
          isLoaded(candidate),
          isCached(candidate, cachedOn),
          candidate.lastUsedMs,
        ]
      : [1, terms.totalMs],
  'round-robin': ({candidate}) => [candidate.lastUsedMs],
  'least-loaded': ({candidate}) => [candidate.inFlight, candidate.lastUsedMs],
  random: () => [],
  latency: ({candidate}) => [candidate.latencyMs],
} as const satisfies Readonly<Record<string, Policy>>

export type PolicyName = keyof typeof POLICIES

/** The names, the default first. */
export const POLICY_NAMES = Object.keys(POLICIES) as readonly PolicyName[]

/** The policy of that name; BAD_INPUT with the nearest one for any other. */
export function policyNamed(name: string | undefined): PolicyName {
  if (name === undefined) return 'expected-time'
  const found = POLICY_NAMES.find((known) => known === name)
  if (found) return found
  const near = nearest(name, POLICY_NAMES)
  throw new OllamaxError('BAD_INPUT', `no policy "${name}"`, {
    suggestions: [near ? `--policy ${near}` : `one of: ${POLICY_NAMES.join(', ')}`],
  })
}

/** The candidates in the order in which they are to be tried; what a policy holds for equal is shuffled. */
export function rank(
  request: BalanceRequest,
  candidates: readonly Candidate[],
  policy: PolicyName,
  {nowMs, random}: RankOptions,
): Ranked[] {
  const ranked = candidates.map((candidate) => ({
    candidate,
    terms: expectedTime(request, candidate, nowMs),
  }))
  const best = Math.min(...ranked.map(({terms}) => terms.totalMs))
  const keyOf: Policy = POLICIES[policy]
  const to = {best, cachedOn: request.cached?.node}
  return ranked
    .map((one) => ({one, key: [...keyOf(one, to), random()]}))
    .sort((a, b) => compare(a.key, b.key))
    .map(({one}) => one)
}

function compare(a: Key, b: Key): number {
  for (let place = 0; place < a.length; place++) {
    const difference = (a[place] ?? 0) - (b[place] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}
