/** The dialect that a client speaks; `other`: health, metrics and whatever no dialect owns. */
export type Dialect = 'ollama' | 'openai' | 'anthropic' | 'other'

/**
 * How a request ended. `caller`: the caller's own mistake; `failed`: every node that was tried failed, or the answer
 * broke off; `cancelled`: the client left; `refused`: no node was asked (busy, no node, not allowed).
 */
export type RequestOutcome = 'ok' | 'caller' | 'failed' | 'cancelled' | 'refused'

/** One request that went through the gateway, when it has ended. Holds no body and no secret. */
export interface RequestRecord {
  readonly requestId: string
  /** Wall time of its arrival, ms since the epoch. */
  readonly atMs: number
  readonly method: string
  /** The matched route (`/api/chat`, `/v1/models/:id`), never the raw path: that may carry a token. */
  readonly route: string
  readonly dialect: Dialect
  /** Id of the key, never the key. */
  readonly key?: string
  /** Full name with tag where one was named. */
  readonly model?: string
  /** The last node that it was sent to. */
  readonly node?: string
  /** HTTP status that the client got; 0: none. */
  readonly status: number
  readonly outcome: RequestOutcome
  /** Nodes that it was sent to, one after the other or as a hedge. 0: none. */
  readonly attempts: number
  /** A second node was asked beside one that said nothing: `won`: the answer is its; `lost`: it is not. */
  readonly hedge?: 'won' | 'lost'
  readonly queueMs: number
  /** From its arrival to the answer's first byte. */
  readonly firstByteMs?: number
  readonly totalMs: number
  readonly promptTokens?: number
  readonly answerTokens?: number
  readonly bytesIn: number
  readonly bytesOut: number
  /** Why that node: `Decision.reason`. */
  readonly reason?: string
  /** A code of the error catalogue, or the refusal's kind. */
  readonly code?: string
}
