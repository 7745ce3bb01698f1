import type {Fleet} from './fleet.ts'
import type {
  FleetPulse,
  FleetView,
  ModelQueueView,
  NodePulse,
  NodeStateView,
  ReplicaView,
} from './fleet-view.ts'
import type {ModelState} from './model-state.ts'
import type {NodeState} from './node-state.ts'
import type {Replica} from './replica.ts'

/** The fleet as it is now, in values that do not change any more. */
export function viewOf(
  fleet: Fleet,
  counts: Pick<FleetView, 'requests' | 'retries' | 'hedges' | 'delayed'>,
  nowMs: number,
): FleetView {
  return {
    nodes: [...fleet.nodes.values()].map((node) => nodeView(node, nowMs)),
    models: [...fleet.models].map((model) => modelView(model, nowMs)),
    ...counts,
  }
}

function nodeView(node: NodeState, nowMs: number): NodeStateView {
  return {
    node: node.name,
    state: !node.reading ? 'silent' : node.down ? 'down' : 'up',
    drained: node.spec.drained,
    inFlight: [...node.replicas.values()].reduce((sum, {running}) => sum + running.length, 0),
    breaker: node.breaker.state(nowMs),
    replicas: [...node.replicas.values()].map((replica) => replicaView(replica, nowMs)),
  }
}

function replicaView(replica: Replica, nowMs: number): ReplicaView {
  const {hindrance, residence, own: rate} = replica
  const {bannedUntilMs} = hindrance
  const contextLength = residence.loaded?.contextLength
  return {
    model: replica.model.key,
    residency: residence.loading ? 'loading' : residence.loaded ? 'loaded' : 'cold',
    inFlight: replica.running.length,
    slots: replica.slots,
    slotsGiven: replica.at.spec.slots !== undefined,
    breaker: replica.breaker.state(nowMs),
    prefixBlocks: replica.prefixes.size,
    ...(bannedUntilMs > nowMs ? {bannedUntilMs} : {}),
    ...(contextLength === undefined ? {} : {contextLength}),
    ...(rate === undefined ? {} : {rate}),
  }
}

function modelView(model: ModelState, nowMs: number): ModelQueueView {
  let running = 0
  for (const replica of model.replicas) running += replica.running.length
  const waiting = model.queue.length
  return {model: model.key, waiting, running, expectedMs: model.queueMs(waiting, nowMs)}
}

/** The fleet as it is now, in short. */
export function pulseOf(fleet: Fleet, waiting: number, nowMs: number): FleetPulse {
  const nodes = new Map<string, NodePulse>()
  let inFlight = 0
  for (const node of fleet.nodes.values()) {
    const pulse = nodePulse(node, nowMs)
    inFlight += pulse.inFlight
    nodes.set(node.name, pulse)
  }
  return {inFlight, waiting, nodes}
}

function nodePulse(node: NodeState, nowMs: number): NodePulse {
  let breaker = node.breaker.state(nowMs)
  let inFlight = 0
  let slots = 0
  for (const replica of node.replicas.values()) {
    inFlight += replica.running.length
    slots = Math.max(slots, replica.slots)
    const state = replica.breaker.state(nowMs)
    if (state !== 'closed' && breaker !== 'open') breaker = state
  }
  return slots > 0 ? {inFlight, breaker, slots} : {inFlight, breaker}
}
