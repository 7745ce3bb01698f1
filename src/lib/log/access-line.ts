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
  if (value === undefined) return ''
  const all = Math.round(value * 100)
  return all >= 0 && all < 2 ** 30 ? `,"${name}":${hundredths(all)}` : count(name, all / 100)
}

/** `all / 100` in digits: three times as fast as JavaScript's way for numbers that are not whole. */
function hundredths(all: number): string {
  const whole = Math.floor(all / 100)
  const rest = all - whole * 100
  if (rest === 0) return `${whole}`
  return rest % 10 === 0 ? `${whole}.${rest / 10}` : `${whole}.${rest < 10 ? '0' : ''}${rest}`
}

/** Infinity and NaN are no JSON, and known by nobody. */
function count(name: string, value: number | undefined): string {
  return value === undefined || !Number.isFinite(value) ? '' : `,"${name}":${value}`
}
