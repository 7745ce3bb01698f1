/** Bounds of a `Dispatcher`. */
export interface DispatchLimits {
  /** Requests that may wait for one model. */
  readonly queueLength: number
  /** A request that has waited so long is refused, and so is one that would have to. */
  readonly queueMaxMs: number
  /** A waiting request rises by one priority each time that so much has passed. */
  readonly ageingMs: number
  /** When no node can be asked now, but one so soon, requests wait for it. */
  readonly nodeWaitMs: number
  /** Nodes that one request is given to, one after the other. */
  readonly attempts: number
  /** Retries of the last `retryWindowMs` per request submitted in the same time... */
  readonly retryShare: number
  /** ...but always as many as this, so that single requests may be retried. */
  readonly retryFloor: number
  readonly retryWindowMs: number
  /** Second attempts beside first ones that say nothing, per request of the same time; they count as retries, too... */
  readonly hedgeShare: number
  /** ...but always as many as this, as long as the retries allow it. */
  readonly hedgeFloor: number
  /** Blocks of prompts that are remembered per replica. */
  readonly prefixBlocks: number
  /** Conversations whose node is remembered. */
  readonly sessions: number
  /** Slots of a node that does not tell are never thought to be more. */
  readonly learnedSlots: number
  /** `loaded`: a request is answered with the loaded context if that is as large as what it asks; `asked`: as it says. */
  readonly numCtx: 'loaded' | 'asked'
}

export const DEFAULT_LIMITS: DispatchLimits = {
  queueLength: 512,
  queueMaxMs: 300_000,
  ageingMs: 10_000,
  nodeWaitMs: 5000,
  attempts: 8,
  retryShare: 0.2,
  retryFloor: 10,
  retryWindowMs: 10_000,
  hedgeShare: 0.05,
  hedgeFloor: 1,
  prefixBlocks: 2048,
  sessions: 10_000,
  learnedSlots: 64,
  numCtx: 'loaded',
}
