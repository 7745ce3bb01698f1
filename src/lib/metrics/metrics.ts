import type {FleetSample} from '../cluster/fleet-sample.ts'
import type {RequestRecord} from '../cluster/request-record.ts'

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
  /** Stops its observers; nothing is counted afterwards. */
  close(): void
}

export interface MetricsSource {
  /** Ours. */
  readonly version: string
  /** Asked at each scrape, and then alone. */
  readonly snapshot: () => FleetSample
  /** Log lines that could not be written, so far. */
  readonly droppedLogLines: () => number
}
