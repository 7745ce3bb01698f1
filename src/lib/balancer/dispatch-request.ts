import type {AnswerStats} from '../cluster/answer-stats.ts'
import type {Priority} from '../cluster/priority.ts'
import type {BalanceRequest, Excluded} from './candidates.ts'
import type {DispatchLimits} from './limits.ts'
import type {PolicyName, Ranked} from './policies.ts'
import type {Rates} from './rates.ts'
import type {Failure, Verdict} from './verdict.ts'

/** The words between a door that serves requests (the gateway, the simulation) and the `Dispatcher`. */

/** One request as its door submits it. */
export interface DispatchRequest extends BalanceRequest {
  /** Unique among the requests that have not ended. */
  readonly id: number
  /** What people know it by; absent: nobody knows it. */
  readonly requestId?: string
  /** Whose share it counts against, a key's id; '' = nobody in particular. */
  readonly tenant: string
  /** Share of this tenant beside the others'. Default 1. */
  readonly weight?: number
  readonly priority: Priority
  /** Requests of one conversation carry the same. */
  readonly session?: string
  /**
   * Hashes of the prompt's beginning: `prefix[i]` stands for its first (i + 1) blocks, whole blocks only.
   * Empty where nothing can be cached.
   */
  readonly prefix: readonly number[]
  /** Tokens in one block of `prefix`, estimated. */
  readonly blockTokens: number
  /** Only this node, also if it is drained. */
  readonly only?: string
  /** Only these: they alone have exactly the model that an answer was begun with. */
  readonly among?: readonly string[]
  /** Instead of the fleet's policy. */
  readonly policy?: PolicyName
  /** True: the answer's first byte comes with its first token; else it may come with the last. */
  readonly streams?: boolean
  /** True: the door can set num_ctx in what it sends (Ollama's own API), false: it cannot (OpenAI's). */
  readonly canSetNumCtx: boolean
  /**
   * True: a second node may be asked beside one that says nothing, because nothing is changed by it and its first byte
   * comes as soon as the prompt is evaluated.
   */
  readonly mayHedge?: boolean
}

/** A node as the cluster file wants it, as far as it bears on balancing. */
export interface BalancedNode {
  readonly name: string
  readonly drained: boolean
  readonly labels: Readonly<Record<string, string>>
  /** OLLAMA_NUM_PARALLEL where we set it; absent: learned, 1 until then. */
  readonly slots?: number
  /** What loaded models may take together, where that is known. */
  readonly memoryBytes?: number
  /** For the policy `weighted`. Default 1. */
  readonly weight?: number
  /** For the policy `tiers`: lower first. Default 0. */
  readonly tier?: number
}

/** Why it went where it went; kept for `route explain` and `route replay`. */
export interface Decision {
  readonly policy: PolicyName
  /** A few words for a header: `warm, free`, `prefix 1280 tokens`, `only one up`. ASCII, no newline. */
  readonly reason: string
  /** Best first. May be left empty where nobody asked for the table. */
  readonly ranked: readonly Ranked[]
  readonly excluded: readonly Excluded[]
}

/** How long the door waits for a sign of life before it calls the attempt a hang; 0 = for ever. */
export interface Patience {
  /** From the sending to the response's head. A cold load is never cut short. */
  readonly firstByteMs: number
  /** Between two pieces of the answer. */
  readonly gapMs: number
}

/** How an attempt ended. */
export type Outcome =
  | {readonly kind: 'ok'; readonly stats: AnswerStats}
  /** `begun`: nobody else can take over, since something of the answer has reached the client; or need, since a hedge does. */
  | {readonly kind: 'failed'; readonly failure: Failure; readonly begun: boolean}
  /** The client has left; neither a success nor a failure. */
  | {readonly kind: 'cancelled'}

/** Why nothing (more) is tried. */
export type Refusal =
  /** The queue is full, or nobody will be free in time. */
  | {readonly kind: 'busy'; readonly retryAfterMs: number}
  /** No node has the model (any more). */
  | {readonly kind: 'missing'}
  /** No node can be asked: all down, drained, banned or silent. */
  | {readonly kind: 'no-node'; readonly retryAfterMs: number}
  /** The last attempt's failure stands: it is the caller's, or nobody else is left, or the retry budget is spent. */
  | {
      readonly kind: 'failed'
      readonly failure: Failure
      readonly verdict: Verdict
      readonly node: string
    }

/** Where a request is to be sent. */
export interface SendOrder {
  readonly node: string
  /** 1 for the first node that it is given to. */
  readonly attempt: number
  readonly decision: Decision
  readonly patience: Patience
  /** The body must carry exactly this one, so that nothing is reloaded. */
  readonly numCtx?: number
  /** Without a sign of life after so long, ask for a hedge. Absent: never. */
  readonly hedgeAfterMs?: number
}

/** What the dispatcher wants done. Called synchronously from its own methods; must not call back into it. */
export interface DispatchSink {
  /** Send it there now. */
  send(id: number, to: SendOrder): void
  /** It waits; told when it is queued and when its place changes. `position` 1 = next of its model. */
  queued(id: number, place: {readonly position: number; readonly expectedMs: number}): void
  /** It ends here. */
  refuse(id: number, why: Refusal, excluded: readonly Excluded[]): void
}

/** What a `Dispatcher` is made with. */
export interface DispatcherOptions {
  readonly sink: DispatchSink
  /** 0 <= x < 1; the only source of chance. */
  readonly random: () => number
  readonly policy?: PolicyName
  readonly limits?: Partial<DispatchLimits>
  /** What was learned before, as `rates()` returned it. */
  readonly rates?: Rates
}
