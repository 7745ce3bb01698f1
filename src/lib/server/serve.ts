import {hostname} from 'node:os'
import {Dispatcher} from '../balancer/dispatcher.ts'
import {policyNamed} from '../balancer/policies.ts'
import type {Cluster, NodeSpec} from '../cluster/node.ts'
import {messageOf, OllamaxError} from '../errors.ts'
import {PrefixHasher} from '../gateway/body/prefix.ts'
import {Fleet} from '../gateway/fleet.ts'
import {DEFAULT_LIMITS, type Gateway, openGateway} from '../gateway/gateway.ts'
import {openGuard} from '../gateway/guard.ts'
import {Hub} from '../gateway/hub.ts'
import {BlobPlaces} from '../gateway/manage.ts'
import {twinsOf} from '../gateway/places.ts'
import type {Tools} from '../jobs/tools.ts'
import type {Endpoint} from '../ollama/endpoint.ts'
import {clusterFile} from '../state/load.ts'
import {balancedNode} from './balanced-node.ts'
import {isLoopback, type ListenAddress} from './listen-address.ts'
import {watchFiles} from './watch-file.ts'

export interface ServeOptions {
  readonly listen: ListenAddress
  readonly tls?: {readonly cert: Buffer; readonly key: Buffer}
  readonly allowCloud: boolean
  /** Of web pages elsewhere that may use the gateway; `*` = all. */
  readonly origins: readonly string[]
  /** Listens beyond loopback although nobody needs a key. */
  readonly openToNetwork: boolean
  /** For running requests once the signal has come. */
  readonly drainMs: number
  readonly signal: AbortSignal
  readonly log: ServeLog
  /** The address it listens on, once it does. */
  readonly listening: (url: string) => void
}

/** Where the running server reports to. */
export interface ServeLog {
  info(text: string): void
  warn(text: string): void
}

export type ServeTools = Pick<Tools, 'cluster' | 'clusterName' | 'endpoint' | 'paths'>

/** How long the first look at the nodes may delay the start. */
const FIRST_LOOK_MS = 3000

/**
 * Is the gateway until the signal aborts; then it takes nothing new, lets the running requests end, and returns.
 * BAD_INPUT if it may not or cannot listen there.
 */
export async function serve(tools: ServeTools, options: ServeOptions): Promise<void> {
  const {signal, log} = options
  const cluster = await tools.cluster()
  checkReach(options)
  const hub = new Hub({
    upstreamOf: (node) => fleet.upstream(node),
    lost: (node) => fleet.look(node),
    sameModel: (model, node) => twinsOf(fleet.nodes(), model, node).map(({spec}) => spec.name),
    ended: () => {},
  })
  const dispatcher = new Dispatcher({
    sink: hub,
    random: Math.random,
    policy: policyNamed(cluster.policy),
  })
  hub.use(dispatcher)
  const fleet: Fleet = new Fleet({
    endpointOf: (node) => ownEndpoint(tools, node),
    onReading: (reading) => hub.tell((one, nowMs) => one.observe(reading, nowMs)),
  })
  const apply = (wanted: Cluster) => {
    fleet.setNodes(wanted.nodes)
    hub.tell((one, nowMs) => {
      one.setNodes(wanted.nodes.map(balancedNode), nowMs)
      one.setPolicy(policyNamed(wanted.policy))
    })
  }
  apply(cluster)
  const reload = async () => {
    try {
      const wanted = await tools.cluster()
      apply(wanted)
      log.info(`read the cluster file anew: ${wanted.nodes.length} nodes`)
    } catch (error) {
      log.warn(`the cluster file cannot be used, so the last good one stays: ${messageOf(error)}`)
    }
  }
  const watch = watchFiles([clusterFile(tools.paths, tools.clusterName())], () => void reload())
  let gateway: Gateway | undefined
  try {
    await fleet.looked(AbortSignal.any([signal, AbortSignal.timeout(FIRST_LOOK_MS)]))
    gateway = await openGateway({
      ...options.listen,
      ...(options.tls ? {tls: options.tls} : {}),
      guard: openGuard,
      fleet,
      hub,
      blobs: new BlobPlaces(),
      hasher: new PrefixHasher(),
      limits: DEFAULT_LIMITS,
      origin: {
        origins: options.origins,
        loopback: isLoopback(options.listen.host),
        hostname: hostname(),
      },
      allowCloud: options.allowCloud,
      metrics: async () => ({type: 'text/plain', text: ''}),
      ended: () => {},
      bug: (error) =>
        log.warn(error instanceof Error ? (error.stack ?? error.message) : String(error)),
    })
    options.listening(gateway.url)
    await aborted(signal)
    log.info(`shutting down: ${hub.size} requests are running`)
    await gateway.drain(options.drainMs)
  } finally {
    watch.close()
    hub.close()
    await gateway?.close()
    await fleet.close()
  }
}

/** Everybody who can reach the address can use the nodes: that must be wanted. */
function checkReach({listen, openToNetwork}: ServeOptions): void {
  if (isLoopback(listen.host) || openToNetwork) return
  throw new OllamaxError(
    'BAD_INPUT',
    `${listen.host} can be reached from other machines, and no key is asked for`,
    {
      suggestions: [
        'ollamax key create NAME',
        'listen on loopback: --listen 127.0.0.1:11435',
        '--open-to-network lets everybody in who can reach it',
      ],
    },
  )
}

async function ownEndpoint(
  tools: Pick<Tools, 'endpoint'>,
  node: NodeSpec,
): Promise<Exclude<Endpoint, {kind: 'upstream'}>> {
  const endpoint = await tools.endpoint(node)
  if (endpoint.kind === 'upstream') throw new Error('an endpoint of a node is no upstream')
  return endpoint
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), {once: true})
  })
}
