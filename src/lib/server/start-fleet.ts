import {join} from 'node:path'
import type {DispatchSink} from '../balancer/dispatch-request.ts'
import {Dispatcher} from '../balancer/dispatcher.ts'
import {policyNamed} from '../balancer/policies.ts'
import type {Rate} from '../balancer/rates.ts'
import {Aliases} from '../cluster/alias.ts'
import type {Cluster, NodeSpec} from '../cluster/node.ts'
import type {Reading} from '../cluster/reading.ts'
import {effectiveOllama} from '../desired/effective.ts'
import {Fleet} from '../gateway/fleet.ts'
import type {Tools} from '../jobs/tools.ts'
import type {NodeEndpoint} from '../ollama/endpoint.ts'
import {mergeRates, readRates} from '../state/rates-file.ts'
import {balancedNode} from './balanced-node.ts'

/** The nodes, their connections, and who decides among them. */
export interface RunningFleet {
  readonly fleet: Fleet
  readonly dispatcher: Dispatcher
  /** As they are now. */
  aliases(): Aliases
  /** Takes over a changed cluster file; no running request is touched. */
  apply(cluster: Cluster): void
  /** Every node, and every model that one of them has. */
  names(): {readonly nodes: readonly string[]; readonly models: readonly string[]}
  close(): Promise<void>
}

export interface FleetHooks {
  /** Carries out what the dispatcher decides. */
  readonly sink: DispatchSink
  /** Whom to tell of requests from now on; comes before everything else. */
  use(dispatcher: Dispatcher): void
  /**
   * Passes an event of the world on to the dispatcher: now, or where that is at work already and must not be called,
   * afterwards. `nowMs`: by its clock.
   */
  tell(event: (nowMs: number) => void): void
  /** A node was read; the dispatcher is told of it first. */
  readonly read?: (reading: Reading) => void
}

/** What was learned is kept this often, so that the next start need not guess. */
const KEEP_MS = 60_000

/** Begins to look at the nodes. */
export function startFleet(
  tools: Pick<Tools, 'endpoint' | 'paths'>,
  cluster: Cluster,
  hooks: FleetHooks,
): RunningFleet {
  const ratesPath = join(tools.paths.cache, 'rates', `${cluster.name}.json`)
  const dispatcher = new Dispatcher({
    sink: hooks.sink,
    random: Math.random,
    policy: policyNamed(cluster.policy),
    rates: readRates<Rate>(ratesPath),
  })
  hooks.use(dispatcher)
  const fleet: Fleet = new Fleet({
    endpointOf: (node) => ownEndpoint(tools, node),
    onReading: (reading) => {
      // Its time becomes one of the clock that all times of the dispatcher are of.
      hooks.tell((nowMs) => dispatcher.observe({...reading, atMs: nowMs}, nowMs))
      hooks.read?.(reading)
    },
    inFlight: (node) => dispatcher.inFlight(node),
  })
  let aliases = new Aliases()
  const apply = (wanted: Cluster) => {
    aliases = new Aliases(wanted.aliases)
    fleet.setNodes(wanted.nodes)
    const learned = readRates<Rate>(ratesPath)
    hooks.tell((nowMs) => {
      dispatcher.setNodes(
        wanted.nodes.map((node) => balancedNode({...node, ollama: effectiveOllama(wanted, node)})),
        nowMs,
      )
      // Of a node that was renamed there is more under its new name.
      dispatcher.adopt(learned)
      dispatcher.setPolicy(policyNamed(wanted.policy))
      dispatcher.setHedging(wanted.gateway?.hedge ?? false)
    })
  }
  apply(cluster)
  const keep = () => {
    // What others have measured since is newer than what is known here, and the other way round.
    const merged = mergeRates(ratesPath, dispatcher.rates())
    hooks.tell(() => dispatcher.adopt(merged))
  }
  const timer = setInterval(keep, KEEP_MS)
  return {
    fleet,
    dispatcher,
    aliases: () => aliases,
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
      await fleet.close()
      keep()
    },
  }
}

/** How this process reaches a node. */
export async function ownEndpoint(
  tools: Pick<Tools, 'endpoint'>,
  node: NodeSpec,
): Promise<NodeEndpoint> {
  const endpoint = await tools.endpoint(node)
  if (endpoint.kind === 'upstream') throw new Error('an endpoint of a node is no upstream')
  return endpoint
}
