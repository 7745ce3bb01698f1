import type {Job} from './job.ts'
import type {Plan} from './plan.ts'
import {byPolicy, type PolicyName} from './policies.ts'
import type {Replica} from './replica.ts'
import {expectedTime, sharedTime} from './score.ts'
import type {Session} from './sessions.ts'

/** What is to be done with a job now. */
export type Pick =
  | {readonly kind: 'send'; readonly replica: Replica}
  /** Somebody who is busy will have it done sooner than anybody who is free; `onMs`: in so long. */
  | {readonly kind: 'wait'; readonly on?: Replica; readonly onMs: number}
  /** Nobody may be asked at present. */
  | {readonly kind: 'none'}

interface Options {
  readonly nowMs: number
  readonly random: () => number
  readonly stickTo: string | undefined
  /** Where the last request of the same conversation was answered. */
  readonly session: Session | undefined
  /** What those ahead in the queue will have. */
  readonly plan: Plan | undefined
}

const NONE: Pick = {kind: 'none'}
/** Estimates of free ones as close as this are the same. */
/**
 * A moment of waiting for a busy node weighs more than one of being served: whoever waits also makes those wait that
 * come after. The value is from simulation; anything from 1.2 to 2 does about as well.
 */
const WAIT_WEIGHT = 1.4
const ALIKE_FACTOR = 1.05
const ALIKE_MS = 5

/** Chooses a replica for a job, or to wait. */
export function choose(job: Job, policy: PolicyName, options: Options): Pick {
  return policy === 'expected-time' || policy === 'tiers'
    ? chooseLate(job, policy, options)
    : chooseEarly(job, policy, options)
}

function chooseLate(job: Job, policy: PolicyName, {nowMs, session, plan}: Options): Pick {
  const {replicas} = job.model
  let any = false
  let bestMs = Number.POSITIVE_INFINITY
  let best: Replica | undefined
  let busyMs = Number.POSITIVE_INFINITY
  let busy: Replica | undefined
  for (const replica of replicas) {
    if (replica.blocked(job, nowMs) !== undefined) continue
    any = true
    replica.consider(job.request, nowMs, session)
    replica.waitMs = plan?.waitMs(replica) ?? replica.waitMs
    const terms = expectedTime(job.request, replica, nowMs)
    let totalMs = terms.totalMs + terms.loadMs * (replica.loadWeight(nowMs) - 1)
    let free = replica.free(nowMs)
    if (!free) totalMs += replica.waitMs * (WAIT_WEIGHT - 1)
    else if (replica.beside > 0) {
      const sharedMs = sharedTime(replica, terms.promptMs + terms.answerMs)
      const afterMs = totalMs - 2 * sharedMs + replica.besideMs * WAIT_WEIGHT + nowMs - job.sinceMs
      if (afterMs < totalMs) {
        free = false
        totalMs = afterMs
      }
    }
    if (!free) {
      if (totalMs >= busyMs) continue
      busyMs = totalMs
      busy = replica
    } else if (!best || better(replica, totalMs, best, bestMs, policy)) {
      best = replica
      bestMs = totalMs
    }
  }
  if (!any) return NONE
  if (!best || (policy === 'expected-time' && busyMs < bestMs))
    return busy ? {kind: 'wait', on: busy, onMs: busyMs} : {kind: 'wait', onMs: 0}
  // What was considered after it may have been another request's: the plan's waits are not its own.
  best.consider(job.request, nowMs, session)
  return {kind: 'send', replica: best}
}

function better(a: Replica, aMs: number, b: Replica, bMs: number, policy: PolicyName): boolean {
  if (policy === 'tiers' && a.tier !== b.tier) return a.tier < b.tier
  if (aMs > bMs * ALIKE_FACTOR + ALIKE_MS) return false
  if (bMs > aMs * ALIKE_FACTOR + ALIKE_MS) return true
  if (a.inFlight !== b.inFlight) return a.inFlight < b.inFlight
  return a.lastUsedMs < b.lastUsedMs
}

/** As everybody knows these policies: the node is fixed when the request comes, and it waits for that one. */
function chooseEarly(job: Job, policy: PolicyName, options: Options): Pick {
  const {nowMs, session} = options
  if (job.bound && job.bound.blocked(job, nowMs) !== undefined) release(job)
  if (!job.bound) {
    const candidates = job.model.replicas.filter((one) => one.blocked(job, nowMs) === undefined)
    for (const one of candidates) one.consider(job.request, nowMs, session)
    const replica = byPolicy(job.request, candidates, policy, options)
    if (!replica) return NONE
    job.bound = replica
    replica.at.inFlight++
    replica.at.bound(nowMs)
  }
  job.bound.consider(job.request, nowMs, session)
  return job.bound.free(nowMs) ? {kind: 'send', replica: job.bound} : {kind: 'wait', onMs: 0}
}

/** It is bound to no replica any more. */
export function release(job: Job): void {
  if (!job.bound) return
  job.bound.at.inFlight--
  job.bound = undefined
}

/** It costs next to nothing to see that the node for which it waits is busy. */
export function isBoundToBusy(job: Job, nowMs: number): boolean {
  const {bound} = job
  return !!bound && !bound.hasRoom() && bound.blocked(job, nowMs) === undefined
}
