import {hostname} from 'node:os'
import {RateLimiter} from '../auth/rate-limit.ts'
import {isLoopback} from '../cluster/loopback.ts'
import {PrefixHasher} from '../gateway/body/prefix.ts'
import {steadyMs} from '../gateway/clock.ts'
import {Decisions} from '../gateway/decisions.ts'
import type {Exchange} from '../gateway/exchange.ts'
import {DEFAULT_LIMITS, type Gateway, openGateway} from '../gateway/gateway.ts'
import {BlobPlaces} from '../gateway/manage.ts'
import type {Tools} from '../jobs/tools.ts'
import {type LogOptions, makeLog} from '../log/make-log.ts'
import {makeMetrics} from '../metrics/metrics.ts'
import {openTracing} from '../trace/tracing.ts'
import {keyGuard} from './key-guard.ts'
import {type KeysNeededOptions, keysNeeded} from './keys-needed.ts'
import {recordOf} from './record.ts'
import {sampleOf} from './sample.ts'
import {sourceOf, watchSource} from './source.ts'
import {startFleet} from './start-fleet.ts'

export interface ServeOptions extends KeysNeededOptions {
  readonly tls?: {readonly cert: Buffer; readonly key: Buffer}
  readonly allowCloud: boolean
  /** Of web pages elsewhere that may use the gateway; `*` = all. */
  readonly origins: readonly string[]
  /** For running requests once the signal has come. */
  readonly drainMs: number
  readonly signal: AbortSignal
  readonly log: LogOptions
  readonly version: string
  /** The address it listens on, once it does. */
  readonly listening: (url: string) => void
}

export type ServeTools = Pick<Tools, 'cluster' | 'clusterName' | 'endpoint' | 'env' | 'paths'>

/** How long the first look at the nodes may delay the start. */
const FIRST_LOOK_MS = 3000
/** Names that may become labels are told to the metrics this often. */
const NAMES_MS = 2000

/**
 * Is the gateway until the signal aborts; then it takes nothing new, lets the running requests end, and returns.
 * BAD_INPUT if it may not or cannot listen there, and whatever reading the cluster file and the keys throws.
 */
export async function serve(tools: ServeTools, options: ServeOptions): Promise<void> {
  const {signal, listen} = options
  const log = makeLog(options.log)
  const source = sourceOf(tools, options.config)
  const cluster = await source.cluster()
  let keyring = await source.keys()
  // From the first key on, also after the last one was revoked.
  let keysWanted = keysNeeded(options, keyring, source)
  const tracing = await openTracing({
    env: tools.env,
    version: options.version,
    onTrouble: (words) => log.warn(words),
  })
  const decisions = new Decisions()
  const ended = (exchange: Exchange) => {
    const record = recordOf(exchange)
    metrics.record(record)
    log.access(record)
    if (exchange.route.kind === 'inference') decisions.add(record, exchange.asked)
    exchange.trace?.end(record)
  }
  const running = startFleet(tools, cluster, {
    ended,
    failed: (node, kind) => metrics.failedAttempt(node, kind),
  })
  const {hub, fleet, dispatcher} = running
  const metrics = makeMetrics({
    version: options.version,
    snapshot: () => sampleOf(fleet.nodes(), dispatcher.view(steadyMs())),
    droppedLogLines: () => log.droppedLines(),
  })
  const names = setInterval(() => metrics.setKnown(running.names()), NAMES_MS)
  const watch = watchSource(source, {
    cluster: (wanted) => {
      running.apply(wanted)
      log.info('read the changed cluster file', {nodes: wanted.nodes.length})
    },
    keys: (keys) => {
      keyring = keys
      keysWanted ||= !keys.empty
      log.info('read the changed keys')
    },
    unusable: (words) =>
      log.warn(`a changed file is not used, what was read before holds: ${words}`),
  })
  let gateway: Gateway | undefined
  try {
    await fleet.looked(AbortSignal.any([signal, AbortSignal.timeout(FIRST_LOOK_MS)]))
    metrics.setKnown(running.names())
    gateway = await openGateway({
      ...listen,
      ...(options.tls ? {tls: options.tls} : {}),
      guard: keyGuard({
        keyring: () => keyring,
        limiter: new RateLimiter(),
        required: () => keysWanted,
      }),
      fleet,
      hub,
      dispatcher,
      decisions,
      blobs: new BlobPlaces(),
      hasher: new PrefixHasher(),
      limits: DEFAULT_LIMITS,
      origin: {
        origins: options.origins,
        loopback: isLoopback(listen.host),
        hostname: hostname(),
      },
      allowCloud: options.allowCloud,
      ...(tracing.on ? {startTrace: tracing.startTrace} : {}),
      metrics: async () => ({type: metrics.contentType, text: await metrics.scrape()}),
      ended,
      bug: (error, {requestId}) => log.error('a bug', {err: error, id: requestId}),
    })
    log.info('listening', {
      url: gateway.url,
      cluster: cluster.name,
      nodes: fleet.nodes().length,
      up: fleet.nodes().filter(({reading}) => reading?.kind === 'up').length,
      keys: keysWanted,
    })
    if (cluster.nodes.length === 0) log.warn('the cluster has no nodes yet: ollamax node add')
    options.listening(gateway.url)
    await aborted(signal)
    log.info('shutting down', {running: hub.size})
    await gateway.drain(options.drainMs)
  } finally {
    clearInterval(names)
    watch.close()
    await gateway?.close()
    await running.close()
    await tracing.close()
    await log.close()
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), {once: true})
  })
}
