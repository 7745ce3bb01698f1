import {randomBytes} from 'node:crypto'
import {RateLimiter} from '../auth/rate-limit.ts'
import {steadyMs} from '../gateway/clock.ts'
import {Decisions} from '../gateway/decisions.ts'
import {insightOf} from '../gateway/insight.ts'
import {LiveBoard} from '../gateway/live/board.ts'
import {BlobPlaces} from '../gateway/manage.ts'
import type {WorkTools} from '../jobs/desired/fleet-work.ts'
import {type LogOptions, makeLog} from '../log/make-log.ts'
import {makeMetrics} from '../metrics/metrics.ts'
import {openTracing} from '../trace/tracing.ts'
import type {Core, Front} from './front.ts'
import {type KeysNeededOptions, keysNeeded} from './keys-needed.ts'
import type {ModelRegistry, ModelRegistrySettings} from './model-registry.ts'
import type {DoorSettings, KeysNow} from './open-door.ts'
import {ownFront} from './own-front.ts'
import type {FleetKeeper} from './reconcile/keep-fleet.ts'
import {sampleOf} from './sample.ts'
import {sourceOf, watchSource} from './source.ts'
import {type RunningFleet, startFleet} from './start-fleet.ts'
import {WorkersFront} from './workers/workers-front.ts'
import {boundYoungSpace} from './young-space.ts'

export interface ServeOptions extends KeysNeededOptions, DoorSettings {
  /** Processes that answer clients; 1: this one alone. */
  readonly workers: number
  /** For running requests once the signal has come. */
  readonly drainMs: number
  readonly signal: AbortSignal
  readonly log: LogOptions
  readonly version: string
  /** Keep the fleet as its file wants it; absent: only serve it. */
  readonly reconcile?: {readonly everyMs: number; readonly graceMs: number} | undefined
  /** Offer the models to the nodes' own pull; absent: not at all. */
  readonly registry?: ModelRegistrySettings | undefined
  /** The address it listens on, once it does. */
  readonly listening: (url: string) => void
}

/** How long the first look at the nodes may delay the start. */
const FIRST_LOOK_MS = 3000
/** Names that may become labels are told to the metrics this often. */
const NAMES_MS = 2000

/**
 * Is the gateway until the signal aborts; then it takes nothing new, lets the running requests end, and returns.
 * BAD_INPUT if it may not or cannot listen there, and whatever reading the cluster file and the keys throws.
 */
export async function serve(tools: WorkTools, options: ServeOptions): Promise<void> {
  const {signal, listen, tls, origins, allowCloud, workers} = options
  boundYoungSpace()
  const log = makeLog(options.log)
  const source = sourceOf(tools, options.config)
  const cluster = await source.cluster()
  const ring = await source.keys()
  // From the first key on, also after the last one was revoked.
  let keys: KeysNow = {ring, wanted: keysNeeded(options, ring, source)}
  const decisions = new Decisions()
  const live = new LiveBoard({
    ...{decisions, front: () => front, fleet: () => running.fleet},
    dispatcher: () => running.dispatcher,
  })
  const metrics = makeMetrics({
    version: options.version,
    snapshot: () => sampleOf(running.fleet.nodes(), running.dispatcher.view(steadyMs())),
    droppedLogLines: () => log.droppedLines(),
    ...(workers > 1 ? {workers: () => front.sample()} : {}),
  })
  const core: Core = {
    settings: {listen, origins, allowCloud, ...(tls ? {tls} : {})},
    ...{log, metrics, live},
    insight: insightOf(() => running.dispatcher, decisions),
    limiter: new RateLimiter(),
    blobs: new BlobPlaces(),
    ticketSecret: randomBytes(32).toString('hex'),
    registry: () => models && {kind: 'url', ...models},
    version: options.version,
    keys: () => keys,
    running: () => running,
    openTracing: () =>
      openTracing({
        env: tools.env,
        version: options.version,
        onTrouble: (words) => log.warn(words),
      }),
    ended(record, inference, asked) {
      metrics.record(record)
      log.access(record)
      if (!inference) return
      decisions.add(record, asked)
      live.ended(record, asked?.streams ?? false)
    },
  }
  const front: Front = workers > 1 ? new WorkersFront(core, workers) : ownFront(core)
  const running: RunningFleet = startFleet(tools, cluster, front)
  const {fleet} = running
  let keeper: FleetKeeper | undefined
  let models: ModelRegistry | undefined
  const names = setInterval(() => metrics.setKnown(running.names()), NAMES_MS)
  const watch = watchSource(source, {
    cluster: (wanted) => {
      running.apply(wanted)
      front.changed('nodes')
      keeper?.poke()
      log.info('read the changed cluster file', {nodes: wanted.nodes.length})
    },
    keys: (changed) => {
      keys = {ring: changed, wanted: keys.wanted || !changed.empty}
      front.changed('keys')
      log.info('read the changed keys')
    },
    unusable: (words) =>
      log.warn(`a changed file is not used, what was read before holds: ${words}`),
  })
  try {
    await fleet.looked(AbortSignal.any([signal, AbortSignal.timeout(FIRST_LOOK_MS)]))
    metrics.setKnown(running.names())
    if (options.registry) {
      const {modelRegistry} = await import('./model-registry.ts')
      models = await modelRegistry(
        {...tools, cluster: source.cluster},
        {...options.registry, fleet, log},
      )
    }
    const url = await front.open()
    log.info('listening', {
      url,
      cluster: cluster.name,
      nodes: fleet.nodes().length,
      up: fleet.nodes().filter(({reading}) => reading?.kind === 'up').length,
      keys: keys.wanted,
      ...(workers > 1 ? {workers} : {}),
      ...(models ? {registry: true} : {}),
    })
    if (cluster.nodes.length === 0) log.warn('the cluster has no nodes yet: ollamax node add')
    options.listening(url)
    if (options.reconcile) {
      const {keepFleet} = await import('./reconcile/keep-fleet.ts')
      const own = {...tools, cluster: source.cluster}
      keeper = keepFleet(own, {
        ...{cluster: source.name, rolls: options.config === undefined, log},
        told: (event) => live.event(event),
        ...options.reconcile,
      })
    }
    await aborted(signal)
    log.info('shutting down', {running: front.size})
    await front.drain(options.drainMs)
  } finally {
    clearInterval(names)
    live.close()
    watch.close()
    await keeper?.close()
    await front.close()
    await models?.close()
    await running.close()
    await log.close()
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), {once: true})
  })
}
