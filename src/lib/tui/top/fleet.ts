import type {FleetEvent} from '../../cluster/fleet-event.ts'
import type {LiveFrame, LiveNode, LiveRequest, LiveTotals} from '../../cluster/live.ts'
import {takeFrame} from '../../cluster/live-node.ts'

/** All that the frames have told so far, within bounds. */
export interface Fleet {
  /** Wall time of the last frame; 0: none has come. */
  readonly atMs: number
  readonly order: readonly string[]
  readonly nodes: ReadonlyMap<string, LiveNode>
  /** In the order of their arrival here. */
  readonly requests: ReadonlyMap<string, LiveRequest>
  /** The newest last. */
  readonly events: readonly FleetEvent[]
  readonly totals: LiveTotals | undefined
  /** One entry a second at most, the newest last. */
  readonly history: readonly LiveTotals[]
}

export const NO_FLEET: Fleet = {
  atMs: 0,
  order: [],
  nodes: new Map(),
  requests: new Map(),
  events: [],
  totals: undefined,
  history: [],
}

/** Bounds of what is kept, however long it runs. */
export const KEPT = {endedRequests: 300, openRequests: 2000, events: 500, history: 300} as const

const SECOND_MS = 1000

/** The fleet after a frame. Nodes that the order no longer names are forgotten, ended requests after a while. */
export function applyFrame(before: Fleet, frame: LiveFrame): Fleet {
  const base = frame.whole ? NO_FLEET : before
  const order = frame.order ?? base.order
  return {
    atMs: frame.atMs,
    order,
    nodes: nodesAfter(base, frame, order),
    requests: requestsAfter(base.requests, frame.requests),
    events:
      frame.events.length === 0
        ? base.events
        : [...base.events, ...frame.events].slice(-KEPT.events),
    totals: frame.totals,
    history: historyAfter(frame.history ?? base.history, frame.totals),
  }
}

function nodesAfter(base: Fleet, frame: LiveFrame, order: readonly string[]): Fleet['nodes'] {
  if (frame.nodes.length === 0 && order === base.order) return base.nodes
  const nodes = new Map(base.nodes)
  takeFrame(nodes, {...frame, order})
  return nodes
}

function requestsAfter(base: Fleet['requests'], news: readonly LiveRequest[]): Fleet['requests'] {
  if (news.length === 0) return base
  const requests = new Map(base)
  for (const request of news) requests.set(request.id, request)
  let ended = 0
  let open = 0
  for (const {state} of requests.values()) state === 'ended' ? ended++ : open++
  for (const [id, {state}] of requests) {
    if (ended <= KEPT.endedRequests && open <= KEPT.openRequests) break
    if (state === 'ended' ? ended-- > KEPT.endedRequests : open-- > KEPT.openRequests)
      requests.delete(id)
  }
  return requests
}

function historyAfter(base: readonly LiveTotals[], totals: LiveTotals): readonly LiveTotals[] {
  const last = base.at(-1)
  if (last && totals.atMs - last.atMs < SECOND_MS) return base.slice(-KEPT.history)
  return [...base, totals].slice(-KEPT.history)
}

/** Nodes in the cluster file's order, without those that no frame has told of yet. */
export function nodesOf(fleet: Fleet): readonly LiveNode[] {
  return fleet.order.flatMap((name) => fleet.nodes.get(name) ?? [])
}
