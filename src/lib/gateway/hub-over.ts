import type {FleetSeen} from './fleet.ts'
import {Hub, type HubOptions} from './hub.ts'
import {twinsOf} from './places.ts'

/** Before a model is said to be nowhere, the nodes are asked once more, if they can say it so soon. */
const RECHECK_MS = 1000

/** A hub that sends to the nodes of a fleet, which need not be there before the first request is. */
export function hubOver(fleet: () => FleetSeen, told: Pick<HubOptions, 'failed' | 'ended'>): Hub {
  return new Hub({
    upstreamOf: (node) => fleet().upstream(node),
    doubt: (node) => fleet().look(node),
    current: () => fleet().current(RECHECK_MS),
    sameModel: (model, node) => twinsOf(fleet().nodes(), model, node).map(({spec}) => spec.name),
    ...told,
  })
}
