import type {Priority} from './priority.ts'
import type {DecisionRecord} from './routing.ts'

/** Of the form of recordings; one of another version is refused, not guessed at. */
export const RECORDING_VERSION = 1

/** A model on a node, as far as it had shown itself when the recording was taken. Speeds as `Rate`, of one alone. */
export interface RecordedReplica {
  /** Short name with tag. */
  readonly model: string
  /** In memory, or on disk where it was not loaded. */
  readonly sizeBytes: number
  /** In memory then. */
  readonly loaded: boolean
  readonly contextLength?: number
  readonly slots: number
  /** False: learned. */
  readonly slotsGiven: boolean
  /** Each further request at once makes all so much slower. */
  readonly crowding: number
  readonly promptTps?: number
  readonly answerTps?: number
  readonly answerTokens?: number
  readonly loadMs?: number
  readonly serviceMs?: number
}

export interface RecordedNode {
  readonly node: string
  readonly drained: boolean
  readonly latencyMs: number
  readonly weight?: number
  readonly tier?: number
  /** Seen in memory together. */
  readonly fitsBytes: number
  /** The least that was seen not to fit; absent: that was never seen. */
  readonly tooMuchBytes?: number
  /** Models that it holds in memory at most. */
  readonly mostLoaded: number
  readonly replicas: readonly RecordedReplica[]
}

/** What a request asked for, without a word of its prompt. null: it did not say. */
export interface RecordedAsk {
  /** Id of the key; '': none. */
  readonly key: string
  readonly priority: Priority
  /** Share of its key beside the others'. */
  readonly weight: number
  /** Requests of one conversation carry the same; a number of this recording, not what the client sent. */
  readonly session: string | null
  /** Of the prompt, as they were estimated when it came. */
  readonly promptTokens: number
  readonly maxAnswerTokens: number | null
  readonly numCtx: number | null
  /** What the model must be able to do, for example `embedding`. */
  readonly needs: string | null
  /** The only node that may answer. */
  readonly only: string | null
  readonly streams: boolean
  readonly canSetNumCtx: boolean
  /** The prompt's beginnings: the i-th number stands for its first i + 1 blocks, in this recording only. */
  readonly prefix: readonly number[]
  /** Tokens in one block, estimated. */
  readonly blockTokens: number
}

export interface RecordedRequest extends DecisionRecord {
  readonly asked: RecordedAsk
}

/** What a gateway knows of its fleet and of its latest requests, so that they can be replayed elsewhere. */
export interface Recording {
  readonly version: number
  /** ISO time at which it was taken. */
  readonly at: string
  /** The policy that was in force then. */
  readonly policy: string
  readonly nodes: readonly RecordedNode[]
  /** In the order of their coming. */
  readonly requests: readonly RecordedRequest[]
}

/** As JSON lines, the fleet first and then each request. No final newline. */
export function recordingLines({requests, ...fleet}: Recording): string {
  return [fleet, ...requests].map((line) => JSON.stringify(line)).join('\n')
}
