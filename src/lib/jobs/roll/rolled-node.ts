/** What became of a node. */
export interface RolledNode {
  readonly name: string
  /** Counted from 1, which is the canary. */
  readonly wave: number
  /**
   * `changed`: it is as it was wanted; `unchanged`: it was so already; `rolled-back`: it is as it was before;
   * `failed`: see `error`; `not-begun`: a wave before it was bad.
   */
  readonly outcome: 'changed' | 'unchanged' | 'rolled-back' | 'failed' | 'not-begun'
  /** Version of Ollama before. */
  readonly from?: string
  /** Version that answers now. */
  readonly to?: string
  /** Tokens per second of the smallest model that is there. */
  readonly pace?: {readonly model: string; readonly before?: number; readonly after?: number}
  /** Time without new requests. */
  readonly drainedMs?: number
  /** It takes no new requests still. */
  readonly leftDrained: boolean
  /** Why it was rolled back, or failed. */
  readonly error?: {
    readonly code: string
    readonly message: string
    readonly suggestions: readonly string[]
  }
}
