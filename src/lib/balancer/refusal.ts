import type {Excluded} from './candidates.ts'
import type {DispatchRequest, Refusal} from './dispatch-request.ts'
import {excludedAs} from './excluded.ts'
import type {Job} from './job.ts'
import type {NodeState} from './node-state.ts'
import type {Replica} from './replica.ts'

const LEAST_RETRY_AFTER_MS = 1000
const LONGEST_RETRY_AFTER_MS = 60_000

/** Why a job cannot be kept waiting. `expectedMs`: until its queue has gone. */
export function busy(expectedMs: number): Refusal {
  return {kind: 'busy', retryAfterMs: bounded(expectedMs)}
}

/** Why a job that nobody can take (any more) ends. */
export function nobody(job: Job, nodes: ReadonlyMap<string, NodeState>, nowMs: number): Refusal {
  const {failed} = job
  const {replicas} = job.model
  const has = replicas.some((one) => !one.hindrance.missing && asked(job.request, one.node))
  if (!has && (!failed || failed.verdict === 'missing')) return unknown(job.request, nodes).why
  if (failed) return {kind: 'failed', ...failed}
  let soonestMs = LONGEST_RETRY_AFTER_MS
  for (const one of replicas)
    if (isPassing(one.blocked(job, nowMs))) soonestMs = Math.min(soonestMs, one.blockedForMs(nowMs))
  return {kind: 'no-node', retryAfterMs: bounded(soonestMs)}
}

/** Of a model that no node has told of: who was asked. */
export function unknown(
  request: DispatchRequest,
  nodes: ReadonlyMap<string, NodeState>,
): {readonly why: Refusal; readonly excluded: readonly Excluded[]} {
  const excluded: Excluded[] = []
  for (const node of nodes.values()) {
    if (!asked(request, node.name)) continue
    const {reading} = node
    const reason = !reading ? 'silent' : reading.kind === 'up' ? 'no-model' : 'down'
    excluded.push(excludedAs(reason, node))
  }
  const missing = excluded.some(({reason}) => reason === 'no-model')
  const why: Refusal = missing ? {kind: 'missing'} : {kind: 'no-node', retryAfterMs: bounded(0)}
  return {why, excluded}
}

/** True: that replica can take the job now, or within `withinMs`. */
export function mayTake(
  replica: Replica,
  job: Job,
  at: {nowMs: number; withinMs: number},
): boolean {
  const why = replica.blocked(job, at.nowMs)
  if (why === undefined) return true
  return isPassing(why) && replica.blockedForMs(at.nowMs) <= at.withinMs
}

const isPassing = (why: Excluded['reason'] | undefined) =>
  why === 'broken' || why === 'banned' || why === 'busy'
const asked = ({only}: DispatchRequest, node: string) => only === undefined || only === node
const bounded = (ms: number) =>
  Math.round(Math.min(LONGEST_RETRY_AFTER_MS, Math.max(LEAST_RETRY_AFTER_MS, ms)))
