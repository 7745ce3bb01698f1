import {helpLines} from './details/help.ts'
import {modelLines} from './details/model.ts'
import {nodeLines} from './details/node.ts'
import {requestLines} from './details/request.ts'
import type {TextLine} from './lines.ts'
import {matcher} from './listing.ts'
import {placeIn, type TopState} from './state.ts'

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

function logLines({logs, logsFilter}: TopState): {first: number; lines: readonly TextLine[]} {
  if (!logs) return {first: 0, lines: []}
  const all = logs.partial === '' ? logs.lines : [...logs.lines, logs.partial]
  const matches = matcher(logsFilter)
  const lines = logsFilter === '' ? all : all.filter(matches)
  const shown: TextLine[] = lines.map((text) => [{text}])
  if (logs.ended !== undefined) shown.push([{text: logs.ended, tone: 'warn'}])
  return {first: logsFilter === '' ? logs.dropped : 0, lines: shown}
}
