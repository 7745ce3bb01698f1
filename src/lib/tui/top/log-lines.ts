import type {Logs} from './state.ts'

/** Lines of a log that are kept; older ones are forgotten. */
const KEPT_LINES = 5000
/** A line without an end is cut: one log must not take all memory. */
const MAX_LINE = 8000

/**
 * What Ollama logs each time that somebody looks what it has: we do so several times a second. No part of it matches what
 * ends it, for a path that a client chose stands in such lines, and must not cost more than its length.
 */
const POLL = /(?:^|\s)\[GIN\] [^|"]*\| 200 \|[^|"]*\|[^|"]*\| GET +"\/api\/(?:ps|tags|version)"$/

export const noLogs = (node: string): Logs => ({
  node,
  lines: [],
  dropped: 0,
  polls: 0,
  partial: '',
})

/** The log after more text: whole lines, parts of lines, many at once. Polls are left out. */
export function appendLog(logs: Logs, text: string): Logs {
  const parts = (logs.partial + text).split('\n')
  const partial = (parts.pop() ?? '').slice(0, MAX_LINE)
  const come = parts.map((line) => line.replace(/\r$/, '').slice(0, MAX_LINE))
  const fresh = come.filter((line) => !POLL.test(line))
  const polls = logs.polls + come.length - fresh.length
  const all = [...logs.lines, ...fresh]
  const over = Math.max(0, all.length - KEPT_LINES)
  const lines = over > 0 ? all.slice(over) : all
  return {...logs, partial, lines, polls, dropped: logs.dropped + over}
}
