import type {RateLimiter} from '../auth/rate-limit.ts'
import type {DispatchRequest} from '../balancer/dispatch-request.ts'
import type {RequestRecord} from '../cluster/request-record.ts'
import type {Insight} from '../gateway/insight.ts'
import type {LiveSource} from '../gateway/live/board.ts'
import type {LiveDoor} from '../gateway/live/door.ts'
import type {BlobPlaces} from '../gateway/manage.ts'
import type {Log} from '../log/make-log.ts'
import type {Metrics} from '../metrics/metrics.ts'
import type {WorkersSample} from '../metrics/worker-metrics.ts'
import type {NodeEndpoint} from '../ollama/endpoint.ts'
import type {Tracing} from '../trace/tracing.ts'
import type {DoorSettings, KeysNow} from './open-door.ts'
import type {FleetHooks, RunningFleet} from './start-fleet.ts'

/** What there is once, however many processes answer. */
export interface Core {
  readonly settings: DoorSettings
  readonly log: Log
  readonly metrics: Metrics
  readonly insight: Insight
  readonly live: LiveDoor
  readonly limiter: RateLimiter
  readonly blobs: BlobPlaces
  /** The way to the registry of models; undefined: there is none. */
  readonly registry: () => NodeEndpoint | undefined
  /** Seals tickets, see `makeTicket`. */
  readonly ticketSecret: string
  readonly keys: () => KeysNow
  /** Not before the fleet was started. */
  readonly running: () => RunningFleet
  /** Ours. */
  readonly version: string
  readonly openTracing: () => Promise<Tracing>
  /** A request has ended; `inference`: it asked a model; `asked`: the dispatcher, and for what. */
  ended(record: RequestRecord, inference: boolean, asked: DispatchRequest | undefined): void
}

/** Those who answer clients: this process, or workers. */
export interface Front extends FleetHooks, LiveSource {
  /** Inferences that wait or run. */
  readonly size: number
  /** What workers use; none where this process answers itself. */
  sample(): WorkersSample
  /** Listens, and gives the address. BAD_INPUT if that cannot be. */
  open(): Promise<string>
  /** The nodes are others now, or the keys. */
  changed(what: 'nodes' | 'keys'): void
  /** Takes nothing new; resolves when the running requests have ended, or at the deadline. */
  drain(deadlineMs: number): Promise<void>
  /** Breaks off what still runs. */
  close(): Promise<void>
}
