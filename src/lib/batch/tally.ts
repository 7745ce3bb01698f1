import type {LineError, TokenCounts} from './output-line.ts'

/** What one node has done of a batch. */
export interface NodeTally {
  readonly node: string
  readonly lines: number
  readonly promptTokens: number
  readonly answerTokens: number
}

/** A line that has no answer. */
export interface FailedLine extends LineError {
  /** From 1 on. */
  readonly line: number
  readonly customId?: string
}

/** Of more failed lines than this only the number is told; all of them stand in the output. */
const MOST_FAILURES = 100
/** Who answered where nobody said it. */
const UNKNOWN = '-'

/** Counts what becomes of the lines of one run. */
export class Tally {
  readonly #nodes = new Map<string, {lines: number; promptTokens: number; answerTokens: number}>()
  readonly failures: FailedLine[] = []
  answered = 0
  failed = 0
  /** Tries beyond the first ones. */
  retried = 0

  answer(node: string | undefined, tokens: TokenCounts): void {
    this.answered++
    const name = node ?? UNKNOWN
    const of = this.#nodes.get(name) ?? {lines: 0, promptTokens: 0, answerTokens: 0}
    this.#nodes.set(name, of)
    of.lines++
    of.promptTokens += tokens.prompt
    of.answerTokens += tokens.answer
  }

  fail(failure: FailedLine): void {
    this.failed++
    if (this.failures.length < MOST_FAILURES) this.failures.push(failure)
  }

  /** Who has answered most comes first. */
  nodes(): NodeTally[] {
    return [...this.#nodes]
      .map(([node, of]) => ({node, ...of}))
      .sort((a, b) => b.lines - a.lines || a.node.localeCompare(b.node, 'en', {numeric: true}))
  }
}
