/** Why a node is expected to take so long, in ms. The total is the sum of the others. */
export interface Terms {
  /** Until the requests before ours are done, and as long as those of other models take their share. */
  readonly waitMs: number
  /** Loading the model; 0 if it is in memory. */
  readonly loadMs: number
  /** Evaluating the prompt. */
  readonly promptMs: number
  /** Writing the answer. */
  readonly answerMs: number
  /** To the node and back. */
  readonly networkMs: number
  /** For a failure a short while ago. */
  readonly riskMs: number
  /** What others lose: by a load that pushes their models out of the memory, by sharing the hardware. */
  readonly harmMs: number
  readonly totalMs: number
  /** Which of them rest on a guess: nothing was measured of this model on this node. */
  readonly guessed: readonly ('load' | 'prompt' | 'answer')[]
}

/** One replica that could take a request, with the time that is expected of it. */
export interface RoutedCandidate extends Terms {
  readonly node: string
  /** Of the model there: `loaded`, `loading`, `reload` (in memory with another context) or `cold`. */
  readonly residency: string
  /** Requests that the node is working on. */
  readonly inFlight: number
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
