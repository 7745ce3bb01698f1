import type {BreakerState} from './breaker.ts'
import type {Residency} from './candidates.ts'
import type {Rate} from './rates.ts'

/** A model on a node, as the dispatcher sees it now. */
export interface ReplicaView {
  /** Full spelling, see `modelKey`. */
  readonly model: string
  readonly residency: Residency
  readonly inFlight: number
  readonly slots: number
  /** False: learned. */
  readonly slotsGiven: boolean
  readonly breaker: BreakerState
  /** Not asked for this model before, ms in the time of the dispatcher's calls; absent: no such ban. */
  readonly bannedUntilMs?: number
  readonly contextLength?: number
  /** Blocks of prompts that it is thought to have evaluated. */
  readonly prefixBlocks: number
  readonly rate?: Rate
}

export interface NodeStateView {
  readonly node: string
  readonly state: 'up' | 'down' | 'silent'
  readonly drained: boolean
  readonly inFlight: number
  readonly breaker: BreakerState
  readonly replicas: readonly ReplicaView[]
}

export interface ModelQueueView {
  readonly model: string
  readonly waiting: number
  readonly running: number
  /** Of the one who would come now. */
  readonly expectedMs: number
}

/** The fleet at one moment, for metrics and `top`. */
export interface FleetView {
  readonly nodes: readonly NodeStateView[]
  readonly models: readonly ModelQueueView[]
  /** In the window of the retry budget. */
  readonly requests: number
  readonly retries: number
  readonly hedges: number
  /** Failed requests that wait until the budget allows another try. */
  readonly delayed: number
}

/** A node in short. */
export interface NodePulse {
  /** Requests that it has in hand. */
  readonly inFlight: number
  /** The most that it answers at once for one of its models; absent: it has none. */
  readonly slots?: number
  /** Its own or the worst of its models'. */
  readonly breaker: BreakerState
}

/** The fleet in short. */
export interface FleetPulse {
  /** Requests that nodes have in hand. */
  readonly inFlight: number
  /** Requests that no node has in hand. */
  readonly waiting: number
  /** By their names. */
  readonly nodes: ReadonlyMap<string, NodePulse>
}
