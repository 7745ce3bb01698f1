import {shortModelName} from '../cluster/model-name.ts'
import type {RequestRecord} from '../cluster/request-record.ts'
import type {Exchange} from '../gateway/exchange.ts'

/** What is known of an exchange when it has ended, for the log and the metrics. */
export function recordOf(exchange: Exchange): RequestRecord {
  const {response, request, route, key, model, node, firstByteMs, promptTokens} = exchange
  const {answerTokens, reason} = exchange
  const totalMs = performance.now() - exchange.startedMs
  return {
    requestId: exchange.requestId,
    atMs: Date.now() - totalMs,
    method: request.method ?? '',
    route: route.name,
    dialect: route.kind === 'own' || route.kind === 'unknown' ? 'other' : exchange.dialect,
    status: response.headersSent ? response.statusCode : 0,
    outcome: exchange.outcome ?? 'cancelled',
    attempts: exchange.attempts,
    queueMs: exchange.queueMs,
    totalMs,
    bytesIn: exchange.bytesIn,
    bytesOut: exchange.bytesOut,
    ...(key === undefined ? {} : {key}),
    ...(model === undefined ? {} : {model: shortModelName(model)}),
    ...(node === undefined ? {} : {node}),
    ...(firstByteMs === undefined ? {} : {firstByteMs}),
    ...(promptTokens === undefined ? {} : {promptTokens}),
    ...(answerTokens === undefined ? {} : {answerTokens}),
    ...(reason === undefined ? {} : {reason}),
  }
}
