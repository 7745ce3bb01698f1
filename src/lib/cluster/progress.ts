import type {Report} from './report.ts'
import {roundDuration, roundSize} from './size.ts'

/** Bytes that were done at a moment. */
export interface Sample {
  readonly atMs: number
  readonly done: number
}

/** What one subject (a node, a download) is doing now, or how it ended. */
export interface Line {
  readonly subject: string
  readonly beganMs: number
  readonly step?: {readonly name: string; readonly sinceMs: number}
  /** Of the running step; `samples` are the last few seconds, oldest first. */
  readonly bytes?: {
    readonly done: number
    readonly total?: number
    /** What is counted; absent: bytes. */
    readonly unit?: string
    readonly also?: string
    readonly samples: readonly Sample[]
  }
  readonly end?: {readonly ok: boolean; readonly text: string; readonly tookMs: number}
}

/** A note or a warning, kept in the order in which they came. */
export interface Remark {
  readonly id: number
  readonly kind: 'note' | 'warn'
  readonly subject: string
  readonly text: string
}

/** All subjects in the order in which they were first heard of. */
export interface Progress {
  readonly lines: readonly Line[]
  readonly remarks: readonly Remark[]
}

export const NO_PROGRESS: Progress = {lines: [], remarks: []}

/** A rate is taken over this window: shorter jumps, longer lags behind. */
const WINDOW_MS = 5000
/** Other things than bytes come one by one, and may take long each. */
const COUNTED_WINDOW_MS = 60_000

/** The progress after one more event; the argument is left as it was. */
export function reduceProgress(before: Progress, report: Report, nowMs: number): Progress {
  if (report.kind === 'note' || report.kind === 'warn') {
    const {kind, subject, text} = report
    return {
      ...before,
      remarks: [...before.remarks, {id: before.remarks.length, kind, subject, text}],
    }
  }
  const at = before.lines.findIndex((line) => line.subject === report.subject)
  const line = before.lines[at] ?? {subject: report.subject, beganMs: nowMs}
  const after = advance(line, report, nowMs)
  return {
    ...before,
    lines: at < 0 ? [...before.lines, after] : before.lines.with(at, after),
  }
}

function advance(
  line: Line,
  report: Exclude<Report, {kind: 'note' | 'warn'}>,
  nowMs: number,
): Line {
  const {subject, beganMs} = line
  if (report.kind === 'start') return {subject, beganMs, step: {name: report.step, sinceMs: nowMs}}
  if (report.kind === 'done') return {subject, beganMs}
  if (report.kind === 'end') {
    const {ok, text} = report
    return {subject, beganMs, end: {ok, text, tookMs: nowMs - beganMs}}
  }
  const same = line.step?.name === report.step
  const step = same && line.step ? line.step : {name: report.step, sinceMs: nowMs}
  const earlier = same ? (line.bytes?.samples ?? []) : []
  const {kind: _kind, subject: _subject, step: _step, ...counted} = report
  const windowMs = report.unit === undefined ? WINDOW_MS : COUNTED_WINDOW_MS
  const samples = keepRecent([...earlier, {atMs: nowMs, done: report.done}], windowMs)
  return {subject, beganMs, step, bytes: {...counted, samples}}
}

/** The window, and one sample before it, so that a slow sender still has a rate. At most 64. */
function keepRecent(samples: readonly Sample[], windowMs: number): readonly Sample[] {
  const last = samples.at(-1)
  if (!last) return samples
  const first = samples.findIndex((sample) => last.atMs - sample.atMs <= windowMs)
  const kept = samples.slice(Math.max(0, first - 1))
  // Events closer together than a twentieth of the window add nothing to a rate.
  return kept.length > 64 ? [...kept.slice(0, 1), ...kept.slice(-63)] : kept
}

/** Bytes per second over the last seconds; undefined where nothing can be said yet. */
export function rateOf(samples: readonly Sample[], nowMs: number): number | undefined {
  const first = samples[0]
  const last = samples.at(-1)
  if (!first || !last || samples.length < 2) return undefined
  // Measured up to now, not up to the last event: a stalled transfer must be seen to slow down.
  const ms = Math.max(nowMs, last.atMs) - first.atMs
  return ms < 250 || last.done < first.done ? undefined : ((last.done - first.done) * 1000) / ms
}

/** Milliseconds until all bytes are done at this rate; undefined while that is not known. */
export function etaMs(done: number, total: number | undefined, rate: number | undefined) {
  if (total === undefined || rate === undefined || rate <= 0 || total < done) return undefined
  return ((total - done) * 1000) / rate
}

/**
 * `12.4 MiB of 93 MiB (13%), 5.1 MiB/s, 16s left`, or `120 of 900 lines (13%), 3 failed, 2.1 lines/s, 6m left`; what is
 * unknown is left out.
 */
export function describeBytes(bytes: NonNullable<Line['bytes']>, nowMs: number): string {
  const {done, total, unit, also, samples} = bytes
  const amount = unit === undefined ? roundSize : String
  const of = unit === undefined ? '' : ` ${unit}`
  const known = total !== undefined && total > 0
  // Rounded down: 100% is said only when it is all there.
  const percent = known ? ` (${Math.min(100, Math.floor((done * 100) / total))}%)` : ''
  const parts = [`${amount(done)}${known ? ` of ${amount(total)}` : ''}${of}${percent}`]
  if (also) parts.push(also)
  const rate = rateOf(samples, nowMs)
  if (rate !== undefined)
    parts.push(unit === undefined ? `${roundSize(rate)}/s` : `${rate.toFixed(1)} ${unit}/s`)
  const left = etaMs(done, total, rate)
  if (left !== undefined && left > 0) parts.push(`${wholeSeconds(Math.max(1000, left))} left`)
  return parts.join(', ')
}

/** A running step in words; nothing for a subject that has ended. */
export function describeStep(line: Line, nowMs: number): string | undefined {
  if (!line.step) return undefined
  const how = line.bytes
    ? describeBytes(line.bytes, nowMs)
    : `${roundDuration(nowMs - line.step.sinceMs)} so far`
  return `${line.step.name} ... ${how}`
}

/** A time that ticks: without tenths, which would only flicker. */
export function wholeSeconds(ms: number): string {
  return roundDuration(Math.round(ms / 1000) * 1000)
    .replace('.0s', 's')
    .replace(/^0ms$/, '0s')
}
