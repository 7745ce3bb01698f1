import type {Exchange} from '../exchange.ts'
import type {Running} from '../job.ts'

/**
 * Counts what nodes write, without a word from the way that a token takes: whoever asks now and then gets the pieces of the
 * streams that came since, and what a stream's own count at its end says beyond that. A piece is a token, about: a node
 * may send two in one. An answer that comes whole counts at its end.
 */
export class AnswerMeter {
  readonly #hub: {readonly jobs: Iterable<Running>}
  #counts = new Map<string, number>()

  constructor(hub: {readonly jobs: Iterable<Running>}) {
    this.#hub = hub
  }

  /** An inference has ended. */
  ended({node, answerTokens, counted}: Exchange): void {
    if (node !== undefined && answerTokens !== undefined) this.#add(node, answerTokens - counted)
  }

  /** Tokens by node since it was asked last. */
  take(): ReadonlyMap<string, number> {
    for (const {attempt, exchange} of this.#hub.jobs) {
      if (!attempt || exchange.node === undefined) continue
      const news = attempt.pieces - attempt.counted
      attempt.counted += news
      exchange.counted += news
      this.#add(exchange.node, news)
    }
    const counts = this.#counts
    this.#counts = new Map()
    return counts
  }

  #add(node: string, tokens: number): void {
    if (tokens > 0) this.#counts.set(node, (this.#counts.get(node) ?? 0) + tokens)
  }
}
