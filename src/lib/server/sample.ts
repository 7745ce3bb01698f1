import type {FleetView} from '../balancer/fleet-view.ts'
import type {FleetSample, NodeSample} from '../cluster/fleet-sample.ts'
import {shortModelName} from '../cluster/model-name.ts'
import type {FleetNode} from '../gateway/fleet.ts'

/** The fleet at this moment, for the metrics. */
export function sampleOf(nodes: readonly FleetNode[], view: FleetView): FleetSample {
  const inFlight = new Map(view.nodes.map((one) => [one.node, one.inFlight]))
  return {
    nodes: nodes.map((node) => nodeSample(node, inFlight.get(node.spec.name) ?? 0)),
    replicas: view.nodes.flatMap(({node, replicas}) =>
      replicas.map(({model, breaker}) => ({node, model: shortModelName(model), breaker})),
    ),
    queues: view.models.map(({model, waiting}) => ({model: shortModelName(model), depth: waiting})),
  }
}

function nodeSample({spec, reading}: FleetNode, inFlight: number): NodeSample {
  const up = reading?.kind === 'up' ? reading : undefined
  const loaded = (up?.loaded ?? []).map(({name, sizeBytes, vramBytes}) => ({
    model: name,
    sizeBytes,
    vramBytes,
  }))
  const version = up?.version
  return {
    name: spec.name,
    up: up !== undefined,
    inFlight,
    loaded,
    ...(version === undefined ? {} : {version}),
  }
}
