import type {Logs} from './state.ts'

/** Lines of a log that are kept; older ones are forgotten. */
const KEPT_LINES = 5000
/** A line without an end is cut: one log must not take all memory. */
const MAX_LINE = 8000

export const noLogs = (node: string): Logs => ({node, lines: [], dropped: 0, partial: ''})

/** The log after more text: whole lines, parts of lines, many at once. */
export function appendLog(logs: Logs, text: string): Logs {
  const parts = (logs.partial + text).split('\n')
  const partial = (parts.pop() ?? '').slice(0, MAX_LINE)
  const fresh = parts.map((line) => line.replace(/\r$/, '').slice(0, MAX_LINE))
  const all = [...logs.lines, ...fresh]
  const over = Math.max(0, all.length - KEPT_LINES)
  return {...logs, partial, lines: over > 0 ? all.slice(over) : all, dropped: logs.dropped + over}
}
