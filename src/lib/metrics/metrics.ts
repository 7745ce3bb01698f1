import {setImmediate} from 'node:timers/promises'
import {Counter, collectDefaultMetrics, Gauge, Registry} from 'prom-client'
import type {FleetSample} from '../cluster/fleet-sample.ts'
import type {RequestRecord} from '../cluster/request-record.ts'
import {CountedHistogram} from './counted-histogram.ts'
import {exposeCounts, exposeFleet} from './exposition.ts'
import {Tally} from './tally.ts'
import {exposeWorkers, type WorkersSample} from './worker-metrics.ts'

/** What the gateway counts, and shows to Prometheus. */
export interface Metrics {
  /**
   * The names that may become label values, from now on: the nodes of the cluster file, and every model that one of
   * them has or lately had (full names with tag). Any other is counted as `other`, and what was counted for a node or
   * model that is no longer among them is forgotten. Call it whenever either changes.
   */
  setKnown(names: {readonly nodes: Iterable<string>; readonly models: Iterable<string>}): void
  /** Counts a request that has ended. Costs less than a microsecond. */
  record(request: RequestRecord): void
  /** Counts an attempt that failed, whether or not another node then answered. `kind` as in `Failure`. */
  failedAttempt(node: string, kind: string): void
  /** For the header of what `scrape` returns. */
  readonly contentType: string
  /** Everything in Prometheus's text format. Yields to other work on the way. */
  scrape(): Promise<string>
}

export interface MetricsSource {
  /** Ours. */
  readonly version: string
  /** Asked at each scrape, and then alone. */
  readonly snapshot: () => FleetSample
  /** Log lines that could not be written, so far. */
  readonly droppedLogLines: () => number
  /** Absent: this process answers clients itself. */
  readonly workers?: () => WorkersSample
}

/**
 * prom-client's own counters of the process that are gauges and yet called `_total`, which Prometheus's check refuses;
 * and the type of each handle is no name to keep apart by.
 */
const MISNAMED = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
]

/** Make one per process: what prom-client watches of the process (event loop, garbage collection) stays watched. */
export function makeMetrics({version, snapshot, droppedLogLines, workers}: MetricsSource): Metrics {
  const registry = new Registry()
  const tally = new Tally()
  let fleet: FleetSample = {nodes: [], replicas: [], queues: []}
  exposeCounts(registry, tally)
  exposeFleet(registry, tally, () => fleet)
  if (workers) exposeWorkers(registry, workers)
  new Counter({
    name: 'ollamax_log_dropped_total',
    help: 'Log lines that could not be written.',
    registers: [registry],
    collect() {
      this.reset()
      this.inc(droppedLogLines())
    },
  })
  new Gauge({
    name: 'ollamax_build_info',
    help: 'This program.',
    labelNames: ['version', 'node_version'],
    registers: [registry],
  }).set({version, node_version: process.version}, 1)
  collectDefaultMetrics({register: registry})
  for (const name of MISNAMED) registry.removeSingleMetric(name)

  return {
    setKnown: ({nodes, models}) => tally.setKnown(nodes, models),
    record: (request) => tally.record(request),
    failedAttempt: (node, kind) => tally.failedAttempt(node, kind),
    contentType: registry.contentType,
    async scrape() {
      fleet = snapshot()
      const parts: string[] = []
      for (const metric of registry.getMetricsAsArray()) {
        const lines: string[] = []
        // A big fleet makes megabytes of text: streams must flow on meanwhile.
        for await (const text of piecesOf(registry, metric)) {
          lines.push(text)
          await setImmediate()
        }
        parts.push(lines.join('\n'))
      }
      return `${parts.join('\n\n')}\n`
    },
  }
}

async function* piecesOf(
  registry: Registry,
  metric: ReturnType<Registry['getMetricsAsArray']>[number],
): AsyncIterable<string> {
  if (metric instanceof CountedHistogram) yield* metric.pages(registry)
  else yield await registry.getSingleMetricAsString(metric.name)
}
