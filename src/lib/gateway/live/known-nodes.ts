import type {BreakerState} from '../../balancer/breaker.ts'
import type {FleetPulse, FleetView, NodeStateView} from '../../balancer/fleet-view.ts'
import {type NodeFacts, nodeEvents} from '../../cluster/fleet-changes.ts'
import type {FleetEvent} from '../../cluster/fleet-event.ts'
import type {LiveNode} from '../../cluster/live.ts'
import {isAsBefore, liveNodeOf} from '../../cluster/live-node.ts'
import type {LiveWireFrame, SeenNode} from '../../cluster/live-wire.ts'
import type {FleetNode} from '../fleet.ts'

interface Known {
  node: LiveNode
  /** What the node is made from, to see quickly that it is as it was. */
  readonly from: readonly unknown[]
  /** The refresh that found it so. */
  readonly turn: number
  /** The refresh that found it read anew. */
  readonly seenTurn: number
}

/** The nodes as they were found last. */
export class KnownNodes {
  #nodes = new Map<string, Known>()
  #orderTurn = 0
  #facts: Map<string, {readonly facts: NodeFacts; readonly from: readonly unknown[]}> | undefined

  refresh(
    nodes: readonly FleetNode[],
    {
      view,
      pulse,
      tokensPerS,
      turn,
    }: {
      readonly view: FleetView
      readonly pulse: FleetPulse
      readonly tokensPerS: (node: string) => number
      readonly turn: number
    },
  ): void {
    const states = new Map(view.nodes.map((one) => [one.node, one]))
    const before = this.#nodes
    this.#nodes = new Map()
    for (const {spec, reading} of nodes) {
      const breaker = pulse.breakers.get(spec.name) ?? 'closed'
      const more = {...moreOf(states.get(spec.name), tokensPerS(spec.name)), breaker}
      const from = [spec, reading, ...Object.values(more)]
      const known = before.get(spec.name)
      this.#nodes.set(spec.name, known && sameParts(known.from, from) ? known : fresh())

      function fresh(): Known {
        const node = liveNodeOf(spec, reading, more)
        if (!known || !isAsBefore(known.node, node)) return {node, from, turn, seenTurn: turn}
        return {node, from, turn: known.turn, seenTurn: turn}
      }
    }
    if ([...before.keys()].join() !== [...this.#nodes.keys()].join()) this.#orderTurn = turn
  }

  /** What has become another after that refresh; 0: everything. */
  since(turn: number): Pick<LiveWireFrame, 'order' | 'nodes' | 'seen'> {
    const all = [...this.#nodes.values()]
    const seen = all.filter((known) => known.turn <= turn && known.seenTurn > turn)
    return {
      ...(turn === 0 || this.#orderTurn > turn ? {order: [...this.#nodes.keys()]} : {}),
      nodes: all.flatMap((known) => (known.turn > turn ? [known.node] : [])),
      ...(seen.length > 0 ? {seen: seen.flatMap(({node}) => seenOf(node))} : {}),
    }
  }

  /** What has happened to the nodes since this was asked last; the first time nothing has. */
  events(
    nodes: readonly FleetNode[],
    breakers: ReadonlyMap<string, BreakerState>,
    atMs: number,
  ): FleetEvent[] {
    const before = this.#facts
    const now: NonNullable<typeof before> = new Map()
    const events: FleetEvent[] = []
    for (const {spec, reading} of nodes) {
      const breaker = breakers.get(spec.name) ?? 'closed'
      const from = [spec, reading, breaker]
      const known = before?.get(spec.name)
      if (known && sameParts(known.from, from)) {
        now.set(spec.name, known)
        continue
      }
      const facts = liveNodeOf(spec, reading, {inFlight: 0, breaker})
      now.set(spec.name, {facts, from})
      if (before) events.push(...nodeEvents(known?.facts, facts, atMs))
    }
    for (const [name, {facts}] of before ?? [])
      if (!now.has(name)) events.push(...nodeEvents(facts, undefined, atMs))
    this.#facts = now
    return events
  }
}

function moreOf(state: NodeStateView | undefined, tokensPerS: number) {
  const slots = state?.replicas.map((replica) => replica.slots) ?? []
  return {
    inFlight: state?.inFlight ?? 0,
    tokensPerS,
    ...(slots.length > 0 ? {slots: Math.max(...slots)} : {}),
  } as const
}

const sameParts = (a: readonly unknown[], b: readonly unknown[]) =>
  a.length === b.length && a.every((part, at) => part === b[at])

function seenOf({name, readAtMs, latencyMs}: LiveNode): SeenNode[] {
  if (readAtMs === undefined) return []
  return [{name, readAtMs, ...(latencyMs === undefined ? {} : {latencyMs})}]
}
