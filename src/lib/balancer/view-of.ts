import type {Fleet} from './fleet.ts'
import type {FleetView, ModelQueueView, NodeStateView, ReplicaView} from './fleet-view.ts'
import type {ModelState} from './model-state.ts'
import type {NodeState} from './node-state.ts'
import type {Replica} from './replica.ts'

/** The fleet as it is now, in values that do not change any more. */
export function viewOf(
  fleet: Fleet,
  counts: {readonly requests: number; readonly retries: number},
  nowMs: number,
  expectedMs: (model: ModelState) => number,
): FleetView {
  return {
    nodes: [...fleet.nodes.values()].map((node) => nodeView(node, nowMs)),
    models: [...fleet.models].map((model) => modelView(model, expectedMs(model))),
    ...counts,
  }
}

function nodeView(node: NodeState, nowMs: number): NodeStateView {
  return {
    node: node.name,
    state: !node.reading ? 'silent' : node.down ? 'down' : 'up',
    drained: node.spec.drained,
    inFlight: node.inFlight,
    breaker: node.breaker.state(nowMs),
    replicas: [...node.replicas.values()].map((replica) => replicaView(replica, nowMs)),
  }
}

function replicaView(replica: Replica, nowMs: number): ReplicaView {
  const {bannedUntilMs, contextLength, rate} = replica
  return {
    model: replica.model.key,
    residency: replica.loading ? 'loading' : replica.loaded ? 'loaded' : 'cold',
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

function modelView(model: ModelState, expectedMs: number): ModelQueueView {
  let running = 0
  for (const replica of model.replicas) running += replica.running.length
  return {model: model.key, waiting: model.queue.length, running, expectedMs}
}
