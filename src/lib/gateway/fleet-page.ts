import type {FleetView} from '../balancer/fleet-view.ts'
import type {FleetNode} from './fleet.ts'

/**
 * `GET /ollamax/v1/fleet`: the nodes in the cluster file's order, each as it was read last and as the balancer sees it,
 * and what waits. Models that the asker may not use are left out. Times in ms; `bannedForMs`: still.
 */
export function fleetPage(
  nodes: readonly FleetNode[],
  view: FleetView,
  {nowMs, mayUse}: {readonly nowMs: number; readonly mayUse: (model: string) => boolean},
) {
  const seen = new Map(view.nodes.map((one) => [one.node, one]))
  return {
    nodes: nodes.map(({spec, reading}) => {
      const {state = 'silent', inFlight = 0, breaker = 'closed'} = seen.get(spec.name) ?? {}
      const replicas = seen.get(spec.name)?.replicas ?? []
      return {
        name: spec.name,
        kind: spec.kind,
        drained: spec.drained,
        labels: spec.labels,
        state,
        inFlight,
        breaker,
        replicas: replicas
          .filter(({model}) => mayUse(model))
          .map(({bannedUntilMs, ...replica}) => ({
            ...replica,
            ...(bannedUntilMs === undefined ? {} : {bannedForMs: bannedUntilMs - nowMs}),
          })),
        ...readingOf(reading, mayUse),
      }
    }),
    models: view.models.filter(({model}) => mayUse(model)),
    requests: view.requests,
    retries: view.retries,
    hedges: view.hedges,
  }
}

function readingOf(reading: FleetNode['reading'], mayUse: (model: string) => boolean) {
  if (!reading) return {}
  if (reading.kind === 'down') return {code: reading.code, message: reading.message}
  return {
    latencyMs: reading.latencyMs,
    ...(reading.version === undefined ? {} : {version: reading.version}),
    models: reading.models.filter(({name}) => mayUse(name)),
    loaded: reading.loaded.filter(({name}) => mayUse(name)),
  }
}
