import type {Terms} from '../cluster/routing.ts'
import type {Patience} from './dispatch-request.ts'

/** A load reads gigabytes from what may be a slow disk; Ollama itself gives up after five minutes without progress. */
const LOAD_MS = 900_000
/** Nobody else can answer: nothing is won by giving up soon. */
const ALONE_MS = 600_000
/** A first byte this many times later than expected is taken for a hang. */
const TIMES = 8
/** As many times later than the worst that this replica has shown of late. */
const TIMES_WORST = 3
/** So many answers of somebody who asks the node directly may be before ours: nobody tells of those. */
const STRANGERS = 3
const LEAST_MS = 1500
/** Speeds were guessed, so they say little. */
const LEAST_GUESSED_MS = 60_000
const LEAST_GAP_MS = 10_000
const GAP_TOKENS = 100

/** What bears on how long one may wait for an answer. */
export interface Expected {
  readonly terms: Terms
  /** What requests of ours may still need that it has to wait for there. */
  readonly aheadMs: number
  /** Before the first byte: that of one token in a stream, of all of them where they come as a whole. */
  readonly answerMs: number
  /** Worst first byte of late, as a multiple of what was expected. */
  readonly worst: number
  readonly msPerToken: number
  /** True: the model is in memory as it is wanted. */
  readonly loaded: boolean
  /** True: another node could take the request. */
  readonly others: boolean
  /** True: it has failed of late and is only tried. */
  readonly brief?: boolean
}

/**
 * What a whole answer may well take. `seen`: tokens of the longest one of late; `most`: as many as fit. One that was taken for a
 * hang already is given the time of `most`, so that a long one does not go from node to node, each of which gives it up.
 */
export function wholeAnswerMs(
  terms: Pick<Terms, 'answerMs'>,
  {usual, seen, most, again}: AnswerLengths,
): number {
  if (again && usual === undefined) return ALONE_MS
  const tokens = Math.min(again ? most : (seen ?? 0), most)
  const times = usual === undefined ? 1 : tokens / usual
  return Math.min(Math.max(ALONE_MS, terms.answerMs), terms.answerMs * Math.max(1, times))
}

/** In tokens. */
export interface AnswerLengths {
  readonly usual: number | undefined
  readonly seen: number | undefined
  readonly most: number
  readonly again: boolean
}

/** How long to wait for signs of life. A node that must load first is never cut short. */
export function patienceFor(expected: Expected): Patience {
  const {terms, aheadMs, answerMs, worst, loaded, others} = expected
  const sureMs = terms.waitMs + terms.promptMs + answerMs + terms.networkMs
  const least = terms.guessed.length > 0 ? LEAST_GUESSED_MS : LEAST_MS
  const beforeMs = expected.brief ? 0 : 2 * aheadMs + STRANGERS * terms.answerMs
  const warmMs = Math.max(least, sureMs * Math.max(TIMES, TIMES_WORST * worst) + beforeMs)
  const coldMs = loaded ? 0 : Math.max(LOAD_MS, 10 * terms.loadMs)
  const aloneMs = others ? 0 : ALONE_MS
  return {
    firstByteMs: Math.round(Math.max(warmMs, coldMs, aloneMs)),
    gapMs: Math.round(Math.max(LEAST_GAP_MS, GAP_TOKENS * expected.msPerToken)),
  }
}
