import {join} from 'node:path'
import {Dispatcher} from '../balancer/dispatcher.ts'
import {policyNamed} from '../balancer/policies.ts'
import type {Rate} from '../balancer/rates.ts'
import type {Cluster, NodeSpec} from '../cluster/node.ts'
import type {Exchange} from '../gateway/exchange.ts'
import {Fleet} from '../gateway/fleet.ts'
import {Hub} from '../gateway/hub.ts'
import {twinsOf} from '../gateway/places.ts'
import type {Tools} from '../jobs/tools.ts'
import type {NodeEndpoint} from '../ollama/endpoint.ts'
import {readRates, replaceRates} from '../state/rates-file.ts'
import {balancedNode} from './balanced-node.ts'

/** The nodes, their connections, and who decides among them. */
export interface RunningFleet {
  readonly fleet: Fleet
  readonly hub: Hub
  readonly dispatcher: Dispatcher
  /** Takes over a changed cluster file; no running request is touched. */
  apply(cluster: Cluster): void
  /** Every node, and every model that one of them has. */
  names(): {readonly nodes: readonly string[]; readonly models: readonly string[]}
  close(): Promise<void>
}

export interface FleetHooks {
  /** An inference has ended. */
  readonly ended: (exchange: Exchange) => void
  /** A node has failed an attempt. */
  readonly failed: (node: string, kind: string) => void
}

/** Before a model is said to be nowhere, the nodes are asked once more, if they can say it so soon. */
const RECHECK_MS = 1000
/** What was learned is kept this often, so that the next start need not guess. */
const KEEP_MS = 60_000

/** Begins to look at the nodes. */
export function startFleet(
  tools: Pick<Tools, 'endpoint' | 'paths'>,
  cluster: Cluster,
  hooks: FleetHooks,
): RunningFleet {
  const ratesPath = join(tools.paths.cache, 'rates', `${cluster.name}.json`)
  const hub = new Hub({
    upstreamOf: (node) => fleet.upstream(node),
    doubt: (node) => fleet.look(node),
    current: () => fleet.current(RECHECK_MS),
    sameModel: (model, node) => twinsOf(fleet.nodes(), model, node).map(({spec}) => spec.name),
    ...hooks,
  })
  const dispatcher = new Dispatcher({
    sink: hub,
    random: Math.random,
    policy: policyNamed(cluster.policy),
    rates: readRates<Rate>(ratesPath),
  })
  hub.use(dispatcher)
  const fleet: Fleet = new Fleet({
    endpointOf: (node) => ownEndpoint(tools, node),
    onReading: (reading) => hub.observe(reading),
    inFlight: (node) => dispatcher.inFlight(node),
  })
  const apply = (wanted: Cluster) => {
    fleet.setNodes(wanted.nodes)
    hub.tell((one, nowMs) => {
      one.setNodes(wanted.nodes.map(balancedNode), nowMs)
      one.setPolicy(policyNamed(wanted.policy))
      one.setHedging(wanted.gateway?.hedge ?? false)
    })
  }
  apply(cluster)
  const keep = () => replaceRates(ratesPath, dispatcher.rates())
  const timer = setInterval(keep, KEEP_MS)
  return {
    fleet,
    hub,
    dispatcher,
    apply,
    names() {
      const nodes = fleet.nodes()
      const models = new Set(
        nodes.flatMap(({reading}) =>
          reading?.kind === 'up' ? reading.models.map((model) => model.name) : [],
        ),
      )
      return {nodes: nodes.map(({spec}) => spec.name), models: [...models]}
    },
    async close() {
      clearInterval(timer)
      hub.close()
      await fleet.close()
      keep()
    },
  }
}

async function ownEndpoint(tools: Pick<Tools, 'endpoint'>, node: NodeSpec): Promise<NodeEndpoint> {
  const endpoint = await tools.endpoint(node)
  if (endpoint.kind === 'upstream') throw new Error('an endpoint of a node is no upstream')
  return endpoint
}
