/** A replica's breaker. `half-open`: one probe is under way. */
export type BreakerState = 'closed' | 'open' | 'half-open'

/** What the gateway knows of one node at this moment. */
export interface NodeSample {
  readonly name: string
  readonly up: boolean
  /** Absent: not known. */
  readonly version?: string
  /** The gateway's own requests that it is working on. */
  readonly inFlight: number
  readonly loaded: readonly {
    readonly model: string
    readonly sizeBytes: number
    readonly vramBytes: number
  }[]
}

/** What the gateway knows of the fleet at this moment, for whoever shows it. */
export interface FleetSample {
  readonly nodes: readonly NodeSample[]
  readonly replicas: readonly {
    readonly node: string
    readonly model: string
    readonly breaker: BreakerState
  }[]
  /** `depth`: requests that wait for the model. */
  readonly queues: readonly {readonly model: string; readonly depth: number}[]
}
