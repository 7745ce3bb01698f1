import type {FleetPulse, NodePulse} from '../../balancer/fleet-view.ts'
import {type NodeFacts, nodeEvents} from '../../cluster/fleet-changes.ts'
import type {FleetEvent} from '../../cluster/fleet-event.ts'
import type {LiveNode} from '../../cluster/live.ts'
import {isAsBefore, liveNodeOf, sameModels} from '../../cluster/live-node.ts'
import type {ChangedNode, LiveWireFrame, SeenNode} from '../../cluster/live-wire.ts'
import type {FleetNode} from '../fleet.ts'

interface Known {
  node: LiveNode
  /** What the node is made from, to see quickly that it is as it was. */
  readonly from: readonly unknown[]
  /** The refresh that found it so, and the one that found this on its disk. */
  readonly turn: number
  readonly modelsTurn: number
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
      pulse,
      tokensPerS,
      turn,
    }: {
      readonly pulse: Pick<FleetPulse, 'nodes'>
      readonly tokensPerS: (node: string) => number
      readonly turn: number
    },
  ): void {
    const before = this.#nodes
    this.#nodes = new Map()
    for (const {spec, reading} of nodes) {
      const {inFlight, slots, breaker} = pulse.nodes.get(spec.name) ?? IDLE
      const tokens = tokensPerS(spec.name)
      const from = [spec, reading, inFlight, slots, breaker, tokens]
      const known = before.get(spec.name)
      this.#nodes.set(spec.name, known && sameParts(known.from, from) ? known : fresh())

      function fresh(): Known {
        const more = slots === undefined ? {} : {slots}
        const node = liveNodeOf(spec, reading, {inFlight, tokensPerS: tokens, breaker, ...more})
        const models = known && sameModels(known.node, node)
        return {
          ...{node, from, seenTurn: turn},
          turn: known && isAsBefore(known.node, node) ? known.turn : turn,
          modelsTurn: models ? known.modelsTurn : turn,
        }
      }
    }
    if ([...before.keys()].join() !== [...this.#nodes.keys()].join()) this.#orderTurn = turn
  }

  /** What has become another after that refresh; 0: everything. */
  since(turn: number): Pick<LiveWireFrame, 'order' | 'nodes' | 'changed' | 'seen'> {
    const nodes: LiveNode[] = []
    const changed: ChangedNode[] = []
    const seen: SeenNode[] = []
    for (const known of this.#nodes.values())
      if (known.modelsTurn > turn) nodes.push(known.node)
      else if (known.turn > turn) changed.push(withoutModels(known.node))
      else if (known.seenTurn > turn) seen.push(...seenOf(known.node))
    return {
      ...(turn === 0 || this.#orderTurn > turn ? {order: [...this.#nodes.keys()]} : {}),
      nodes,
      ...(changed.length > 0 ? {changed} : {}),
      ...(seen.length > 0 ? {seen} : {}),
    }
  }

  /** What has happened to the nodes since this was asked last; the first time nothing has. */
  events(
    nodes: readonly FleetNode[],
    pulse: Pick<FleetPulse, 'nodes'>,
    atMs: number,
  ): FleetEvent[] {
    const before = this.#facts
    const now: NonNullable<typeof before> = new Map()
    const events: FleetEvent[] = []
    for (const {spec, reading} of nodes) {
      const {breaker} = pulse.nodes.get(spec.name) ?? IDLE
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

/** Of a node that was never read. */
const IDLE: NodePulse = {inFlight: 0, breaker: 'closed'}

const sameParts = (a: readonly unknown[], b: readonly unknown[]) =>
  a.length === b.length && a.every((part, at) => part === b[at])

function withoutModels({models: _, ...node}: LiveNode): ChangedNode {
  return node
}

function seenOf({name, readAtMs, latencyMs}: LiveNode): SeenNode[] {
  if (readAtMs === undefined) return []
  return [{name, readAtMs, ...(latencyMs === undefined ? {} : {latencyMs})}]
}
