/** One replica that could take a request, with the terms of the time that is expected of it; all in ms. */
export interface RoutedCandidate {
  readonly node: string
  /** Of the model there: `loaded`, `loading`, `reload` (in memory with another context) or `cold`. */
  readonly residency: string
  /** Requests that the node is working on. */
  readonly inFlight: number
  readonly waitMs: number
  readonly loadMs: number
  readonly promptMs: number
  readonly answerMs: number
  readonly networkMs: number
  readonly riskMs: number
  readonly harmMs: number
  /** The sum of them. */
  readonly totalMs: number
  /** Terms that rest on a guess, since nothing was measured of this model there: `load`, `prompt`, `answer`. */
  readonly guessed: readonly string[]
}

/** Where a request would go now, and why. */
export interface RoutePlan {
  readonly model: string
  /** The policy that decides. */
  readonly policy: string
  /** Of the prompt, estimated. */
  readonly promptTokens: number
  /** Best first. */
  readonly candidates: readonly RoutedCandidate[]
  /** The nodes that cannot take it, each with a short reason and a text. */
  readonly excluded: ReadonlyArray<{
    readonly node: string
    readonly reason: string
    readonly text: string
  }>
}

/** What became of one request; null: not known, or there was none. */
export interface DecisionRecord {
  readonly id: string
  /** ISO time of its arrival. */
  readonly at: string
  readonly route: string
  readonly model: string
  /** The last node that it was sent to. */
  readonly node: string | null
  /** Why that one, in a few words. */
  readonly reason: string | null
  /** Nodes that it was sent to, one after the other. */
  readonly attempts: number
  readonly queueMs: number
  /** From its arrival. */
  readonly firstByteMs: number | null
  readonly totalMs: number
  readonly promptTokens: number | null
  readonly answerTokens: number | null
  readonly status: number
  readonly outcome: string
}
