import type {RequestRecord} from '../cluster/request-record.ts'
import {quoted, withoutSecrets} from './safe-text.ts'

/**
 * The one line of the access log that a request gets, as JSON with its newline; what is not known is left out.
 * Built by hand: a fifth of what pino takes, see docs/design/0007-seeing.md. Times in ms, to a hundredth.
 */
export function accessLine(record: RequestRecord): string {
  const route = record.route.startsWith('/t/') ? withoutSecrets(record.route) : record.route
  return (
    `{"level":"info","time":${Math.round(record.atMs + record.totalMs)},"msg":"request"` +
    `,"id":${quoted(record.requestId)},"method":${quoted(record.method)},"route":${quoted(route)}` +
    `,"dialect":"${record.dialect}"${text('key', record.key)}${text('model', record.model)}` +
    `${text('node', record.node)},"status":${record.status},"outcome":"${record.outcome}"` +
    `,"attempts":${record.attempts}${text('hedge', record.hedge)}${ms('queueMs', record.queueMs)}` +
    `${ms('firstByteMs', record.firstByteMs)}${ms('totalMs', record.totalMs)}` +
    `${count('promptTokens', record.promptTokens)}${count('answerTokens', record.answerTokens)}` +
    `,"bytesIn":${record.bytesIn},"bytesOut":${record.bytesOut}` +
    `${text('reason', record.reason)}${text('code', record.code)}}\n`
  )
}

function text(name: string, value: string | undefined): string {
  return value === undefined ? '' : `,"${name}":${quoted(value)}`
}

function ms(name: string, value: number | undefined): string {
  return count(name, value === undefined ? undefined : Math.round(value * 100) / 100)
}

/** Infinity and NaN are no JSON, and known by nobody. */
function count(name: string, value: number | undefined): string {
  return value === undefined || !Number.isFinite(value) ? '' : `,"${name}":${value}`
}
