import {formatAge} from '../../../cluster/format.ts'
import type {LiveRequest} from '../../../cluster/live.ts'
import {shortModelName} from '../../../cluster/model-name.ts'
import type {Cell, Column} from '../table.ts'
import {duration, UNKNOWN} from '../words.ts'

/** What still goes on before what has ended; of those the newest first. */
export function liveOrder(requests: Iterable<LiveRequest>): readonly LiveRequest[] {
  const rank = ({state}: LiveRequest) => (state === 'ended' ? 1 : 0)
  return [...requests].sort((a, b) => rank(a) - rank(b) || b.atMs - a.atMs)
}

function stateOf({state, outcome, status}: LiveRequest): Cell {
  if (state === 'running') return {text: 'running', tone: 'good'}
  if (state === 'waiting') return {text: 'waiting', tone: 'warn'}
  if (outcome === 'ok') return {text: 'ok', tone: 'dim'}
  if (outcome === 'cancelled') return {text: 'cancelled', tone: 'dim'}
  const text = outcome ?? 'ended'
  return {text: status ? `${text} ${status}` : text, tone: outcome === 'caller' ? 'warn' : 'bad'}
}
const textOf = (cell: Cell) => (typeof cell === 'string' ? cell : cell.text)

export const REQUEST_COLUMNS: readonly Column<LiveRequest>[] = [
  {
    id: 'age',
    title: 'AGE',
    letter: 'A',
    width: 5,
    align: 'right',
    rank: 1,
    cell: ({atMs}, nowMs) => formatAge(nowMs - atMs),
    value: ({atMs}) => -atMs,
  },
  {
    id: 'state',
    title: 'STATE',
    letter: 'S',
    width: 11,
    rank: 2,
    cell: stateOf,
    value: (request) => textOf(stateOf(request)),
  },
  {
    id: 'model',
    title: 'MODEL',
    letter: 'M',
    width: 14,
    grow: 2,
    rank: 0,
    cell: ({model}) => (model === undefined ? {text: UNKNOWN, tone: 'dim'} : shortModelName(model)),
    value: ({model}) => model,
  },
  {
    id: 'node',
    title: 'NODE',
    letter: 'N',
    width: 10,
    grow: 1,
    rank: 3,
    cell: ({node}) => node ?? '-',
    value: ({node}) => node,
  },
  {
    id: 'queue',
    title: 'QUEUE',
    letter: 'Q',
    width: 6,
    align: 'right',
    rank: 6,
    cell: ({queueMs}) => duration(queueMs),
    value: ({queueMs}) => queueMs,
  },
  {
    id: 'first',
    title: 'FIRST',
    letter: 'F',
    width: 6,
    align: 'right',
    rank: 5,
    cell: ({firstByteMs}) => (firstByteMs === undefined ? '-' : duration(firstByteMs)),
    value: ({firstByteMs}) => firstByteMs,
  },
  {
    id: 'total',
    title: 'TOTAL',
    letter: 'T',
    width: 6,
    align: 'right',
    rank: 8,
    cell: ({totalMs, atMs}, nowMs) => duration(totalMs ?? Math.max(0, nowMs - atMs)),
    value: ({totalMs, atMs}) => totalMs ?? -atMs,
  },
  {
    id: 'tokens',
    title: 'TOKENS',
    letter: 'O',
    width: 6,
    align: 'right',
    rank: 7,
    cell: ({answerTokens}) => (answerTokens === undefined ? UNKNOWN : `${answerTokens}`),
    value: ({answerTokens}) => answerTokens,
  },
  {
    id: 'tries',
    title: 'TRIES',
    letter: 'I',
    width: 5,
    align: 'right',
    rank: 10,
    cell: ({attempts}) => (attempts > 1 ? {text: `${attempts}`, tone: 'warn'} : `${attempts}`),
    value: ({attempts}) => attempts,
  },
  {
    id: 'key',
    title: 'KEY',
    letter: 'K',
    width: 10,
    rank: 11,
    cell: ({key}) => key ?? '-',
    value: ({key}) => key,
  },
  {
    id: 'route',
    title: 'ROUTE',
    letter: 'P',
    width: 14,
    rank: 12,
    cell: ({route}) => route,
    value: ({route}) => route,
  },
  {
    id: 'reason',
    title: 'WHY THAT NODE',
    letter: 'R',
    width: 14,
    grow: 3,
    rank: 4,
    cell: ({reason}) => reason ?? '-',
    value: ({reason}) => reason,
  },
]
