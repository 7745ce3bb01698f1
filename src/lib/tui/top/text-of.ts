import {helpLines} from './details/help.ts'
import {modelLines} from './details/model.ts'
import {nodeLines} from './details/node.ts'
import {requestLines} from './details/request.ts'
import type {TextLine} from './lines.ts'
import {matcher} from './listing.ts'
import {placeIn, type TopState} from './state.ts'
import {wrap} from './text.ts'

/** What is shown where it is no list, as lines; `first` is the number of the first one, in a log that has forgotten some. */
export function textOf(state: TopState): {
  readonly first: number
  readonly lines: readonly TextLine[]
} {
  const place = placeIn(state)
  if (place.kind === 'help') return {first: 0, lines: helpLines(state)}
  if (place.kind === 'node') return {first: 0, lines: nodeLines(state, place.name)}
  if (place.kind === 'model') return {first: 0, lines: modelLines(state, place.name)}
  if (place.kind === 'request') return {first: 0, lines: requestLines(state, place.id)}
  if (place.kind === 'logs') return logLines(state)
  return {first: 0, lines: []}
}

function logLines({logs, logsFilter, logsWrapped, size}: TopState): ReturnType<typeof textOf> {
  if (!logs) return {first: 0, lines: []}
  const all = logs.partial === '' ? logs.lines : [...logs.lines, logs.partial]
  const matches = matcher(logsFilter)
  const lines = logsFilter === '' ? all : all.filter(matches)
  const rows = logsWrapped ? lines.flatMap((line) => wrapped(line, size.columns)) : lines
  const shown: TextLine[] = rows.map((text) => [{text}])
  if (logs.ended !== undefined) shown.push([{text: logs.ended, tone: 'warn'}])
  // How many rows the forgotten lines had, nobody knows any more.
  return {first: logsFilter === '' && !logsWrapped ? logs.dropped : 0, lines: shown}
}

/** Breaking thousands of lines anew for every picture would be felt. */
const WRAPPED = {width: 0, rows: new Map<string, readonly string[]>()}
const MOST_WRAPPED = 10_000

function wrapped(line: string, width: number): readonly string[] {
  if (WRAPPED.width !== width || WRAPPED.rows.size > MOST_WRAPPED) WRAPPED.rows.clear()
  WRAPPED.width = width
  const known = WRAPPED.rows.get(line)
  if (known) return known
  const rows = wrap(line, width)
  WRAPPED.rows.set(line, rows)
  return rows
}
