import type {AnswerStats} from '../../cluster/answer-stats.ts'
import type {Dialect} from '../route.ts'

/** The counts stand at the end; `context` of /api/generate, which may be long, before them. */
const TAIL_BYTES = 2048
const NS_PER_MS = 1e6

/**
 * The counts and durations that the last piece of an answer tells, without parsing all of it. `measured`
 * is what was seen from outside, for the dialects that tell no durations.
 */
export function statsOf(dialect: Dialect, last: Buffer, measured: Measured): AnswerStats {
  const tail = last.toString('latin1', Math.max(0, last.length - TAIL_BYTES))
  if (dialect === 'ollama') {
    const ms = (field: string) => scaled(numberAfter(tail, field))
    return compact({
      totalMs: ms('"total_duration":'),
      loadMs: ms('"load_duration":'),
      promptTokens: numberAfter(tail, '"prompt_eval_count":'),
      promptMs: ms('"prompt_eval_duration":'),
      answerTokens: numberAfter(tail, '"eval_count":'),
      answerMs: ms('"eval_duration":'),
    })
  }
  const answerTokens =
    numberAfter(tail, '"completion_tokens":') ??
    numberAfter(tail, '"output_tokens":') ??
    (measured.pieces > 1 ? measured.pieces : undefined)
  const promptTokens = numberAfter(tail, '"prompt_tokens":') ?? numberAfter(tail, '"input_tokens":')
  // Only a stream shows when writing began.
  const answerMs = measured.pieces > 1 ? measured.answerMs : undefined
  return compact({promptTokens, answerTokens, answerMs})
}

/** What was seen of an answer from outside. */
export interface Measured {
  /** Pieces of the stream, about one a token; 0 or 1 for a whole answer. */
  readonly pieces: number
  /** From the first piece to the last. */
  readonly answerMs: number
}

function numberAfter(text: string, field: string): number | undefined {
  const at = text.lastIndexOf(field)
  if (at < 0) return undefined
  const value = Number.parseFloat(text.slice(at + field.length, at + field.length + 24))
  return Number.isFinite(value) ? value : undefined
}

const scaled = (ns: number | undefined) => (ns === undefined ? undefined : ns / NS_PER_MS)

type Loose = {readonly [field in keyof AnswerStats]: number | undefined}

function compact(stats: Loose): AnswerStats {
  return Object.fromEntries(
    Object.entries(stats).filter(([, value]) => value !== undefined),
  ) as AnswerStats
}
