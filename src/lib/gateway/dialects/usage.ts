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
  const stats: Loose = {}
  if (dialect === 'ollama') {
    // In the order in which Ollama writes them, so that each search goes on where the last one ended.
    let at = tail.lastIndexOf('"done":true')
    for (const [field, name, scale] of OLLAMA_FIELDS) {
      const found = tail.indexOf(field, at)
      if (found < 0) continue
      at = found + field.length
      const value = numberAt(tail, at)
      if (value !== undefined) stats[name] = value / scale
    }
    return stats
  }
  const answerTokens =
    numberAfter(tail, '"completion_tokens":') ??
    numberAfter(tail, '"output_tokens":') ??
    (measured.pieces > 1 ? measured.pieces : undefined)
  const promptTokens = numberAfter(tail, '"prompt_tokens":') ?? numberAfter(tail, '"input_tokens":')
  if (promptTokens !== undefined) stats.promptTokens = promptTokens
  if (answerTokens !== undefined) stats.answerTokens = answerTokens
  // Only a stream shows when writing began.
  if (measured.pieces > 1) stats.answerMs = measured.answerMs
  return stats
}

type Loose = {-readonly [field in keyof AnswerStats]: AnswerStats[field]}

const OLLAMA_FIELDS: readonly (readonly [string, keyof AnswerStats, number])[] = [
  ['"total_duration":', 'totalMs', NS_PER_MS],
  ['"load_duration":', 'loadMs', NS_PER_MS],
  ['"prompt_eval_count":', 'promptTokens', 1],
  ['"prompt_eval_duration":', 'promptMs', NS_PER_MS],
  ['"eval_count":', 'answerTokens', 1],
  ['"eval_duration":', 'answerMs', NS_PER_MS],
]

/** What was seen of an answer from outside. */
export interface Measured {
  /** Pieces of the stream, about one a token; 0 or 1 for a whole answer. */
  readonly pieces: number
  /** From the first piece to the last. */
  readonly answerMs: number
}

/** So many are exact in any case. */
const EXACT_DIGITS = 15
const ZERO = 0x30
const COMMA = 0x2c
const BRACE = 0x7d

function numberAfter(text: string, field: string): number | undefined {
  const at = text.lastIndexOf(field)
  return at < 0 ? undefined : numberAt(text, at + field.length)
}

function numberAt(text: string, at: number): number | undefined {
  let whole = 0
  let end = at
  for (; end < at + EXACT_DIGITS; end++) {
    const digit = text.charCodeAt(end) - ZERO
    if (!(digit >= 0 && digit <= 9)) break
    whole = whole * 10 + digit
  }
  const next = text.charCodeAt(end)
  // As a rule it is a count or nanoseconds, and needs no general reader of numbers.
  if (end > at && end < at + EXACT_DIGITS && (next === COMMA || next === BRACE)) return whole
  const value = Number.parseFloat(text.slice(at, at + 24))
  return Number.isFinite(value) ? value : undefined
}
