import type {Done} from './done-lines.ts'

/** Why a line has no answer. */
export interface LineError {
  /** `broken_line`, `timeout`, `unreachable`, or `http_` and the status of the last answer. */
  readonly code: string
  readonly message: string
}

/** Tokens as the node has counted them; 0 where it did not tell. */
export interface TokenCounts {
  readonly prompt: number
  readonly answer: number
}

export type LineOutcome =
  | {readonly kind: 'answered'; readonly answer: Fields; readonly status: number}
  | {readonly kind: 'failed'; readonly error: LineError; readonly status?: number}

/** Which line it is, and who answered it. */
export interface LineFacts {
  /** From 1 on, as editors count. */
  readonly line: number
  readonly customId?: string | undefined
  readonly fingerprint: string
  readonly openai: boolean
  readonly node?: string | undefined
  readonly requestId?: string | undefined
  readonly ms: number
}

type Fields = Readonly<Record<string, unknown>>

/**
 * A line of the output, without its end: for OpenAI's form in the shape of OpenAI's outputs, otherwise Ollama's own
 * answer; `line`, `input` (the fingerprint of what was asked), `node` and `ms` stand in front.
 */
export function outputLine(facts: LineFacts, outcome: LineOutcome): string {
  const {line, customId, fingerprint, openai, node, requestId, ms} = facts
  const head = {
    line,
    ...(customId === undefined ? {} : {custom_id: customId}),
    input: fingerprint,
    ...(node === undefined ? {} : {node}),
    ms: Math.round(ms),
  }
  const failed = outcome.kind === 'failed' ? outcome.error : null
  if (!openai)
    return JSON.stringify(
      outcome.kind === 'failed' ? {...head, error: failed} : {...head, ...outcome.answer, ...head},
    )
  const response =
    outcome.kind === 'answered'
      ? {status_code: outcome.status, request_id: requestId ?? '', body: outcome.answer}
      : null
  return JSON.stringify({id: `batch_req_${line}`, ...head, response, error: failed})
}

/** Far more than anybody has, and still a number that memory can be had for. */
const MOST_LINES = 2 ** 28

/** What a line of an output says of itself; undefined: it was not written here. */
export function readOutputLine(
  text: string,
): {readonly line: number; readonly fingerprint: string; readonly done: Done} | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  const {line, input, error} = value as Fields
  if (typeof line !== 'number' || !Number.isInteger(line)) return undefined
  if (line < 1 || line > MOST_LINES) return undefined
  if (typeof input !== 'string' || !/^[0-9a-f]{16}$/.test(input)) return undefined
  const failed = error !== undefined && error !== null
  return {line, fingerprint: input, done: failed ? 'failed' : 'answered'}
}

/** The tokens of an answer, of whichever dialect. */
export function tokensOf(answer: Fields): TokenCounts {
  const usage = (answer.usage ?? {}) as Fields
  return {
    prompt: count(answer.prompt_eval_count ?? usage.prompt_tokens ?? usage.input_tokens),
    answer: count(answer.eval_count ?? usage.completion_tokens ?? usage.output_tokens),
  }
}

const count = (value: unknown) => (typeof value === 'number' && value > 0 ? value : 0)
