import type {FleetEvent} from '../../cluster/fleet-event.ts'
import type {LiveFrame, LiveLink, LiveNode, LiveRequest} from '../../cluster/live.ts'
import {applyFrame, type Fleet, NO_FLEET, nodesOf} from './fleet.ts'
import {clean} from './text.ts'
import {clockTime, conditionOf, duration, rate, UNKNOWN} from './words.ts'

/** Lines for who hears the screen, or keeps them: only what has changed, one thing a line, nothing drawn over. */
export interface PlainLines {
  readonly onFrame: (frame: LiveFrame) => void
  readonly onLink: (link: LiveLink) => void
}

/** The fleet's figures are told again at most so often, and only if they are others. */
const FIGURES_MS = 10_000

export function plainLines(write: (line: string) => void, now: () => number): PlainLines {
  let fleet = NO_FLEET
  let told = {atMs: Number.NEGATIVE_INFINITY, text: ''}
  const say = (text: string) => write(`${clockTime(now())} ${clean(text)}`)
  return {
    onLink: (link) => say(linkText(link)),
    onFrame(frame) {
      const before = fleet
      fleet = applyFrame(before, frame)
      const first = before.atMs === 0
      for (const text of changes(before, fleet, frame, first)) say(text)
      const text = figuresText(fleet)
      if (text === told.text || now() - told.atMs < FIGURES_MS) return
      told = {atMs: now(), text}
      say(text)
    },
  }
}

function linkText(link: LiveLink): string {
  const from =
    link.source.kind === 'gateway'
      ? `gateway ${link.source.url}`
      : `the nodes themselves (${link.source.why})`
  if (link.state === 'lost') return `source lost: ${from}: ${link.reason}; trying again`
  return link.state === 'live' ? `source: ${from}` : `connecting to ${from}`
}

function changes(before: Fleet, after: Fleet, frame: LiveFrame, first: boolean): string[] {
  const gone = before.order.filter((name) => !after.order.includes(name))
  return [
    ...nodesOf(after).flatMap((node) => nodeChange(before.nodes.get(node.name), node, first)),
    ...gone.map((name) => `node ${name}: not in the cluster any more`),
    ...frame.requests.flatMap((request) => requestText(request)),
    ...frame.events
      .filter(isNews)
      .map(({event, node, text}) =>
        ['event', event, node && `of ${node}`].filter(Boolean).join(' ').concat(`: ${text}`),
      ),
  ]
}

/** What a node is, where that is not what it was; at first only what is not well. */
function nodeChange(before: LiveNode | undefined, node: LiveNode, first: boolean): string[] {
  const is = describe(node)
  if (before === undefined)
    return first && conditionOf(node).weight === 0 ? [] : [`node ${node.name}: ${is}`]
  return describe(before) === is ? [] : [`node ${node.name}: ${is}`]
}

function describe(node: LiveNode): string {
  const {text, why} = conditionOf(node)
  return why === undefined ? text : `${text}: ${why}`
}

/** What the nodes' own lines say already need not be said twice. */
const SEEN: readonly FleetEvent['event'][] = [
  'up',
  'down',
  'drained',
  'undrained',
  'added',
  'removed',
  'opened',
  'closed',
  'source',
]
const isNews = ({event}: FleetEvent) => !SEEN.includes(event)

function requestText({state, outcome, model, node, status, totalMs}: LiveRequest): string[] {
  if (state !== 'ended' || (outcome !== 'failed' && outcome !== 'refused')) return []
  const where = node === undefined ? '' : ` on ${node}`
  return [
    `request for ${model ?? UNKNOWN}${where}: ${outcome} ${status ?? ''} after ${duration(totalMs)}`,
  ]
}

function figuresText(fleet: Fleet): string {
  const nodes = nodesOf(fleet)
  const up = nodes.filter(({state}) => state === 'up').length
  const {tokensPerS, inFlight, waiting, firstTokenMs, errorsPerS} = fleet.totals ?? {}
  return [
    `fleet: ${up} of ${fleet.order.length} nodes up`,
    `${rate(tokensPerS)} tokens/s`,
    `${inFlight ?? UNKNOWN} in flight`,
    `${waiting ?? UNKNOWN} waiting`,
    `first token ${duration(firstTokenMs?.p50)} (p95 ${duration(firstTokenMs?.p95)})`,
    `${rate(errorsPerS)} errors/s`,
  ].join(', ')
}
