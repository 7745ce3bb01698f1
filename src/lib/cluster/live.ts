import type {FleetEvent} from './fleet-event.ts'
import type {BreakerState} from './fleet-sample.ts'
import type {NodeSpec} from './node.ts'
import type {LoadedModel} from './reading.ts'
import type {RequestOutcome} from './request-record.ts'

/** What a machine's own system tells of it. A figure that it does not tell is absent. Shares: 0 to 1. */
export interface MachineReading {
  /** Wall time, ms since the epoch. */
  readonly atMs: number
  readonly cores?: number
  /** Of all cores together, since the reading before. */
  readonly cpuShare?: number
  readonly memory?: {readonly totalBytes: number; readonly availableBytes: number}
  /** Of the file system that the models lie on. */
  readonly disk?: {readonly totalBytes: number; readonly freeBytes: number}
  /** The hottest sensor of the processor. */
  readonly celsius?: number
  readonly gpus: readonly GpuReading[]
}

export interface GpuReading {
  readonly name: string
  readonly vramBytes?: {readonly total: number; readonly used: number}
  readonly busyShare?: number
  readonly celsius?: number
}

/** A node as it is now. What nobody knows is absent. */
export interface LiveNode {
  readonly name: string
  readonly kind: NodeSpec['kind']
  readonly target: string
  readonly labels: Readonly<Record<string, string>>
  readonly drained: boolean
  /** `unread`: nobody has looked yet. */
  readonly state: 'up' | 'down' | 'unread'
  /** Why it is down, in words, and the code of the error catalogue. */
  readonly reason?: string
  readonly code?: string
  /** Wall time of the reading that this is from. */
  readonly readAtMs?: number
  readonly version?: string
  readonly latencyMs?: number
  /** Requests that it works on, as far as the source knows: the gateway's, or those of this machine's processes. */
  readonly inFlight: number
  readonly slots?: number
  /** Of answers, over the last seconds. */
  readonly tokensPerS?: number
  readonly breaker?: BreakerState
  readonly loaded: readonly LoadedModel[]
  /** On disk. */
  readonly models: readonly {
    readonly name: string
    readonly digest: string
    readonly sizeBytes: number
  }[]
  readonly machine?: MachineReading
}

/** A request on its way through the gateway, or one that has just ended. */
export interface LiveRequest {
  readonly id: string
  /** Wall time of its arrival. */
  readonly atMs: number
  readonly route: string
  /** Id of the key, never the key. */
  readonly key?: string
  readonly model?: string
  readonly node?: string
  readonly state: 'waiting' | 'running' | 'ended'
  readonly attempts: number
  /** So far, or in all. */
  readonly queueMs: number
  readonly firstByteMs?: number
  /** Of one that has ended. */
  readonly totalMs?: number
  readonly answerTokens?: number
  /** Why that node, in a few words. */
  readonly reason?: string
  readonly status?: number
  readonly outcome?: RequestOutcome
}

/** The fleet as a whole over the last seconds. What the source cannot know is absent. */
export interface LiveTotals {
  readonly atMs: number
  readonly tokensPerS?: number
  readonly requestsPerS?: number
  /** Requests a second that failed by no mistake of the caller. */
  readonly errorsPerS?: number
  readonly inFlight: number
  readonly waiting?: number
  readonly firstTokenMs?: {readonly p50: number; readonly p95: number}
}

/**
 * What is new since the frame before, from whoever watches the fleet: only the nodes that have changed, requests that
 * came, changed or ended, events that happened. `whole`: forget what was before (the first frame, or one after a gap).
 */
export interface LiveFrame {
  readonly atMs: number
  readonly whole: boolean
  /** Names of all nodes in the cluster file's order, where that changed or the frame is whole. */
  readonly order?: readonly string[]
  readonly nodes: readonly LiveNode[]
  readonly requests: readonly LiveRequest[]
  readonly events: readonly FleetEvent[]
  readonly totals: LiveTotals
  /** In a whole frame: the totals of the last minutes, the oldest first, where the source kept them. */
  readonly history?: readonly LiveTotals[]
}

/** Where frames come from. `nodes`: no gateway runs, and whoever watches reads each node. */
export type LiveSource =
  | {readonly kind: 'gateway'; readonly url: string}
  | {readonly kind: 'nodes'; readonly why: string}

/**
 * What a source says of itself beside its frames. `lost`: nothing comes for now and it tries again by itself, what is
 * shown grows old; `live`: frames come (again).
 */
export type LiveLink =
  | {readonly state: 'connecting'; readonly source: LiveSource}
  | {readonly state: 'live'; readonly source: LiveSource}
  | {readonly state: 'lost'; readonly source: LiveSource; readonly reason: string}
