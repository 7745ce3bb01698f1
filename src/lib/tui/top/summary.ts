import type {LiveTotals} from '../../cluster/live.ts'
import {type Fleet, nodesOf} from './fleet.ts'
import {fitLine, type TextLine} from './lines.ts'
import {sparkline} from './spark.ts'
import {SUMMARY_ROWS, type TopState} from './state.ts'
import {sized} from './text.ts'
import type {Theme, Tone} from './theme.ts'
import {duration, rate, UNKNOWN} from './words.ts'

interface Figure {
  readonly name: string
  readonly tone?: Tone
  /** As it is now. */
  readonly text: (totals: LiveTotals | undefined) => string
  readonly value: (totals: LiveTotals) => number | undefined
  readonly top: (value: number) => string
}

const count = (value: number | undefined) => (value === undefined ? UNKNOWN : `${value}`)

const FIGURES: readonly Figure[] = [
  {
    name: 'tokens/s',
    text: (totals) => rate(totals?.tokensPerS),
    value: ({tokensPerS}) => tokensPerS,
    top: rate,
  },
  {
    name: 'requests/s',
    text: (totals) => rate(totals?.requestsPerS),
    value: ({requestsPerS}) => requestsPerS,
    top: rate,
  },
  {
    name: 'in flight',
    text: (totals) => count(totals?.inFlight),
    value: ({inFlight}) => inFlight,
    top: count,
  },
  {
    name: 'queue',
    text: (totals) => count(totals?.waiting),
    value: ({waiting}) => waiting,
    top: count,
  },
  {
    name: 'first token',
    text: (totals) =>
      totals?.firstTokenMs
        ? `p50 ${duration(totals.firstTokenMs.p50)} p95 ${duration(totals.firstTokenMs.p95)}`
        : UNKNOWN,
    value: ({firstTokenMs}) => firstTokenMs?.p95,
    top: duration,
  },
  {
    name: 'errors/s',
    tone: 'bad',
    text: (totals) => rate(totals?.errorsPerS),
    value: ({errorsPerS}) => errorsPerS,
    top: rate,
  },
]

const NAME = 14
const NOW = 21
const TOP = 11

/** The figures of the fleet, each with its last minutes as bars: `SUMMARY_ROWS` lines of exactly `width`. */
export function summaryLines({fleet, size}: TopState, theme: Theme): string[] {
  const {columns: width} = size
  const lines: TextLine[] = [nodesLine(fleet)]
  for (const {name, tone, text, value, top} of FIGURES) {
    const values = fleet.history.map(value)
    const known = values.filter((one) => one !== undefined)
    const max = known.length === 0 ? undefined : Math.max(...known)
    const now = text(fleet.totals)
    const alarm = tone !== undefined && (fleet.totals ? (value(fleet.totals) ?? 0) : 0) > 0
    const bars = sparkline(values, {
      width: Math.max(0, width - NAME - NOW - TOP - 1),
      bars: theme.glyphs.bars,
    })
    lines.push([
      {text: sized(` ${name}`, NAME), tone: 'dim'},
      {text: sized(now, NOW), tone: alarm ? 'bad' : now === UNKNOWN ? 'dim' : 'strong'},
      {text: bars, tone: tone ?? 'accent'},
      {text: ' '},
      {text: sized(max === undefined ? '' : `max ${top(max)}`, TOP), tone: 'dim'},
    ])
  }
  return lines.slice(0, SUMMARY_ROWS).map((line) => fitLine(line, width, theme))
}

function nodesLine(fleet: Fleet): TextLine {
  const nodes = nodesOf(fleet)
  const of = (state: string) => nodes.filter((node) => node.state === state).length
  const drained = nodes.filter((node) => node.drained).length
  const loaded = nodes.reduce((sum, node) => sum + node.loaded.length, 0)
  const down = of('down')
  const unread = of('unread') + fleet.order.length - nodes.length
  return [
    {text: sized(' nodes', NAME), tone: 'dim'},
    {text: `${of('up')} of ${fleet.order.length} up`, tone: 'strong'},
    ...(down > 0 ? [{text: `  ${down} down`, tone: 'bad' as const}] : []),
    ...(unread > 0 ? [{text: `  ${unread} unread`, tone: 'dim' as const}] : []),
    ...(drained > 0 ? [{text: `  ${drained} drained`, tone: 'warn' as const}] : []),
    {text: `  ${loaded} ${loaded === 1 ? 'model' : 'models'} loaded`},
  ]
}
