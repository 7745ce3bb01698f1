import {printable} from './safe-text.ts'

/** Colours a piece of text by what it means; returns it as it is where nothing is coloured. */
export type Paint = (tone: 'good' | 'bad' | 'warn' | 'dim', text: string) => string

const TONE = {
  trace: 'dim',
  debug: 'dim',
  info: 'good',
  warn: 'warn',
  error: 'bad',
  fatal: 'bad',
} as const
/** Said by the line itself. */
const SAID = new Set(['level', 'time', 'msg'])
const REQUEST = new Set([
  ...['method', 'route', 'dialect', 'status', 'outcome', 'model', 'node', 'queueMs', 'firstByteMs'],
  ...['totalMs', 'promptTokens', 'answerTokens', 'bytesIn', 'bytesOut'],
])

/** A line of JSON as a person reads it: the time of day, the level, the words, and what else is known. */
export function prettyLine(json: string, paint: Paint): string {
  const line: Readonly<Record<string, unknown>> = JSON.parse(json)
  const level = String(line.level)
  const time = new Date(Number(line.time))
  const clock = Number.isNaN(time.getTime()) ? '--:--:--' : time.toTimeString().slice(0, 8)
  const isRequest = line.msg === 'request' && 'route' in line
  const words = isRequest ? describeRequest(line, paint) : printable(String(line.msg ?? ''))
  const rest = Object.entries(line)
    .filter(([name]) => !SAID.has(name) && !(isRequest && REQUEST.has(name)))
    .map(([name, value]) => paint('dim', `${printable(name)}=${show(value)}`))
  const mark = isRequest
    ? ''
    : `${paint(TONE[level as keyof typeof TONE] ?? 'warn', printable(level))} `
  return `${[paint('dim', clock), `${mark}${words}`, ...rest].join(' ')}\n`
}

function describeRequest(line: Readonly<Record<string, unknown>>, paint: Paint): string {
  const tone = line.outcome === 'ok' ? 'good' : line.outcome === 'failed' ? 'bad' : 'warn'
  const of = (name: string, before: string, after = '') =>
    line[name] === undefined ? [] : [`${before}${show(line[name])}${after}`]
  const tokens =
    line.answerTokens === undefined
      ? []
      : [`${line.promptTokens ?? '?'}+${line.answerTokens} tokens`]
  return [
    paint(tone, `${line.status} ${line.outcome}`),
    `${show(line.method)} ${show(line.route)}`,
    ...of('model', ''),
    ...of('node', 'on '),
    ...of('totalMs', '', ' ms'),
    ...of('firstByteMs', 'first ', ' ms'),
    ...(line.queueMs === 0 ? [] : of('queueMs', 'queued ', ' ms')),
    ...tokens,
  ].join(' ')
}

function show(value: unknown): string {
  return printable(typeof value === 'string' ? value : JSON.stringify(value))
}
