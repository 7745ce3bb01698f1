import type {LiveRequest} from '../../cluster/live.ts'
import {shortModelName} from '../../cluster/model-name.ts'
import type {RequestRecord} from '../../cluster/request-record.ts'
import type {Running} from '../job.ts'

/** A request that waits or runs, as it is shown. */
export function liveRequest({exchange, attempt, submittedMs}: Running, nowMs: number): LiveRequest {
  const {requestId: id, startedMs, route, key, model, node, reason, firstByteMs} = exchange
  return {
    id,
    atMs: Math.round(performance.timeOrigin + startedMs),
    route: route.name,
    state: attempt ? 'running' : 'waiting',
    attempts: exchange.attempts,
    queueMs: Math.round(attempt ? exchange.queueMs : nowMs - submittedMs),
    ...(key === undefined ? {} : {key}),
    ...(model === undefined ? {} : {model: shortModelName(model)}),
    ...(node === undefined ? {} : {node}),
    ...(reason === undefined ? {} : {reason}),
    ...(firstByteMs === undefined ? {} : {firstByteMs: Math.round(firstByteMs)}),
  }
}

/** One that has ended, as it is shown. */
export function endedRequest(record: RequestRecord): LiveRequest {
  const {requestId: id, route, key, model, node, reason, firstByteMs, answerTokens} = record
  return {
    id,
    atMs: Math.round(record.atMs),
    route,
    state: 'ended',
    attempts: record.attempts,
    queueMs: Math.round(record.queueMs),
    totalMs: Math.round(record.totalMs),
    status: record.status,
    outcome: record.outcome,
    ...(key === undefined ? {} : {key}),
    ...(model === undefined ? {} : {model}),
    ...(node === undefined ? {} : {node}),
    ...(reason === undefined ? {} : {reason}),
    ...(firstByteMs === undefined ? {} : {firstByteMs: Math.round(firstByteMs)}),
    ...(answerTokens === undefined ? {} : {answerTokens}),
  }
}
