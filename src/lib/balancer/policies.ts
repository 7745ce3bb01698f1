import {nearest} from '../cluster/nearest.ts'
import type {Terms} from '../cluster/routing.ts'
import {OllamaxError} from '../errors.ts'
import type {BalanceRequest, Candidate} from './candidates.ts'
import {expectedTime} from './score.ts'

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
  /** For the policy `sticky`: what belongs together, for example a conversation. */
  readonly stickTo?: string | undefined
}

/** Numbers to be compared from left to right, the smaller one first. */
type Key = readonly number[]
interface Among {
  /** The shortest expected time of all. */
  readonly best: number
  readonly cachedOn: string | undefined
  /** What belongs together for the policy `sticky`; undefined: nothing does. */
  readonly stickTo: string | undefined
  readonly random: () => number
}
type Policy = (ranked: Ranked, among: Among) => Key

/**
 * Estimates closer than this are the same: the one with less to do goes first, then one that has the model in
 * memory (a long answer must not make a load look small), then the one that was longer unused.
 */
const ALIKE_FACTOR = 1.25
const ALIKE_MS = 20

const isLoaded = ({residency}: Candidate) => (residency === 'loaded' ? 0 : 1)
const isCached = ({node}: Candidate, cachedOn: string | undefined) => (node === cachedOn ? 0 : 1)

const byExpectedTime: Policy = ({candidate, terms}, {best, cachedOn}) =>
  terms.totalMs <= best * ALIKE_FACTOR + ALIKE_MS
    ? [
        0,
        candidate.inFlight,
        isLoaded(candidate),
        isCached(candidate, cachedOn),
        candidate.lastUsedMs,
      ]
    : [1, terms.totalMs]

const POLICIES = {
  'expected-time': byExpectedTime,
  'round-robin': ({candidate}) => [candidate.lastUsedMs],
  'least-loaded': ({candidate}) => [candidate.inFlight, candidate.lastUsedMs],
  // Each is drawn with the probability that its weight has in the sum: the least of exponential times.
  weighted: ({candidate}, {random}) => [-Math.log(1 - random()) / (candidate.weight ?? 1)],
  latency: ({candidate}) => [candidate.latencyMs],
  random: () => [],
  // Rendezvous hashing: when a node comes or goes, only its own share moves.
  sticky: (one, among) =>
    among.stickTo === undefined
      ? byExpectedTime(one, among)
      : [hash(`${among.stickTo} ${one.candidate.node}`)],
  tiers: (one, among) => [one.candidate.tier ?? 0, ...byExpectedTime(one, among)],
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
  {nowMs, random, stickTo}: RankOptions,
): Ranked[] {
  const ranked = candidates.map((candidate) => ({
    candidate,
    terms: expectedTime(request, candidate, nowMs),
  }))
  let best = Number.POSITIVE_INFINITY
  for (const {terms} of ranked) best = Math.min(best, terms.totalMs)
  const keyOf: Policy = POLICIES[policy]
  const among = {best, cachedOn: request.cached?.node, stickTo, random}
  return ranked
    .map((one) => ({one, key: [...keyOf(one, among), random()]}))
    .sort((a, b) => compare(a.key, b.key))
    .map(({one}) => one)
}

/** The first of `rank`, found by one look at each. */
export function byPolicy<T extends Candidate>(
  request: BalanceRequest,
  candidates: readonly T[],
  policy: PolicyName,
  {nowMs, random, stickTo}: RankOptions,
): T | undefined {
  const terms = candidates.map((candidate) => expectedTime(request, candidate, nowMs))
  let best = Number.POSITIVE_INFINITY
  for (const {totalMs} of terms) best = Math.min(best, totalMs)
  const keyOf: Policy = POLICIES[policy]
  const among = {best, cachedOn: request.cached?.node, stickTo, random}
  let first: {readonly candidate: T; readonly key: Key} | undefined
  candidates.forEach((candidate, at) => {
    const of = terms[at]
    if (!of) return
    const key = [...keyOf({candidate, terms: of}, among), random()]
    if (!first || compare(key, first.key) < 0) first = {candidate, key}
  })
  return first?.candidate
}

function compare(a: Key, b: Key): number {
  for (let place = 0; place < a.length; place++) {
    const difference = (a[place] ?? 0) - (b[place] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

/** FNV-1a with its bits mixed, 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (let at = 0; at < text.length; at++)
    value = Math.imul(value ^ text.charCodeAt(at), 0x01000193)
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35)
  return (value ^ (value >>> 16)) >>> 0
}
