import {shortModelName} from '../cluster/model-name.ts'
import type {RequestRecord} from '../cluster/request-record.ts'
import type {Exchange} from '../gateway/exchange.ts'

/** What is known of an exchange when it has ended, for the log and the metrics. */
export function recordOf(exchange: Exchange): RequestRecord {
  const {response, request, route} = exchange
  const totalMs = performance.now() - exchange.startedMs
  // Fields that are not known are left out one by one: this runs for every request.
  const record: {-readonly [field in keyof RequestRecord]: RequestRecord[field]} = {
    requestId: exchange.requestId,
    atMs: Date.now() - totalMs,
    method: request.method,
    route: route.name,
    dialect: route.kind === 'own' || route.kind === 'unknown' ? 'other' : exchange.dialect,
    status: response.headersSent ? response.statusCode : 0,
    outcome: exchange.outcome ?? 'cancelled',
    attempts: exchange.attempts,
    queueMs: exchange.queueMs,
    totalMs,
    bytesIn: exchange.bytesIn,
    bytesOut: exchange.bytesOut,
  }
  if (exchange.key !== undefined) record.key = exchange.key
  if (exchange.model !== undefined) record.model = spelt(exchange.model)
  if (exchange.node !== undefined) record.node = exchange.node
  if (exchange.firstByteMs !== undefined) record.firstByteMs = exchange.firstByteMs
  if (exchange.promptTokens !== undefined) record.promptTokens = exchange.promptTokens
  if (exchange.answerTokens !== undefined) record.answerTokens = exchange.answerTokens
  if (exchange.hedge !== undefined) record.hedge = exchange.hedge
  if (exchange.reason !== undefined) record.reason = exchange.reason
  return record
}

/** The full spelling; most clients use it already, and then nothing has to be taken apart. */
function spelt(model: string): string {
  return PLAIN.test(model) ? model : shortModelName(model)
}

const PLAIN = /^[a-z0-9][a-z0-9._-]*:[a-z0-9._-]+$/
