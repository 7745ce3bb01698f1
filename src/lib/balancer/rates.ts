import type {AnswerStats} from '../cluster/answer-stats.ts'

/** What is known from earlier answers of one model on one node; every field is a moving mean. */
export interface Rate {
  /** Prompt tokens evaluated per second. */
  readonly promptTps?: number
  /** Until that is known, because prompts were too short or nobody told: their tokens... */
  readonly promptTokens?: number
  /** ...and what they took, ms; 0 where that is in the answer's time. */
  readonly promptMs?: number
  /** Answer tokens per second. */
  readonly answerTps?: number
  /** Tokens of an answer. */
  readonly answerTokens?: number
  /** Time of a cold load, ms. */
  readonly loadMs?: number
  /** Time that a request occupies a slot (prompt and answer), ms. */
  readonly serviceMs?: number
  /** Requests that it answers at once, as it seemed when this was kept. */
  readonly slots?: number
  /** Last change, ms since the epoch. */
  readonly atMs: number
  /** Last time that the node failed a request of this model, ms since the epoch. */
  readonly failedAtMs?: number
}

/** Rates by node name, then by model key. */
export type Rates = Readonly<Record<string, Readonly<Record<string, Rate>>>>

/** A load of at least this was a real one: Ollama polls a loading model each 250 ms. */
export const COLD_LOAD_MS = 250

/** Weight of the newest sample. */
const NEWEST = 0.3
/** Fewer prompt tokens than this measure the call, not the evaluation. */
export const LEAST_PROMPT_TOKENS = 16
/** A prompt evaluated this many times faster than ever before was in the prefix cache. */
const CACHED_FACTOR = 8

/** Time that a request waited for a slot, ms; unknown when the node did not tell all durations. */
export function queueMs(sample: AnswerStats): number | undefined {
  if (sample.totalMs === undefined) return undefined
  const busy = (sample.loadMs ?? 0) + (sample.promptMs ?? 0) + (sample.answerMs ?? 0)
  return Math.max(0, sample.totalMs - busy)
}

/** True if the model had to be loaded for this answer, or the request waited for a load. */
export function wasCold(sample: AnswerStats): boolean {
  return (sample.loadMs ?? 0) >= COLD_LOAD_MS
}

/** The rate with one more answer in it. */
export function learn(known: Rate | undefined, sample: AnswerStats, nowMs: number): Rate {
  const serviceMs = (sample.promptMs ?? 0) + (sample.answerMs ?? 0)
  const timed = serviceMs > 0 && sample.promptTokens !== undefined
  return compact({
    promptTps: mean(known?.promptTps, promptTps(known, sample)),
    promptTokens: mean(known?.promptTokens, timed ? sample.promptTokens : undefined),
    promptMs: mean(known?.promptMs, timed ? (sample.promptMs ?? 0) : undefined),
    answerTps: mean(known?.answerTps, perSecond(sample.answerTokens, sample.answerMs)),
    answerTokens: mean(known?.answerTokens, sample.answerTokens),
    loadMs: mean(known?.loadMs, wasCold(sample) ? sample.loadMs : undefined),
    serviceMs: mean(known?.serviceMs, serviceMs > 0 ? serviceMs : undefined),
    slots: known?.slots,
    atMs: nowMs,
  })
}

/** The rate after a failure of the node; its measured speeds stay. */
export function learnFailure(known: Rate | undefined, nowMs: number): Rate {
  return {...known, atMs: nowMs, failedAtMs: nowMs}
}

function promptTps(known: Rate | undefined, sample: AnswerStats): number | undefined {
  if ((sample.promptTokens ?? 0) < LEAST_PROMPT_TOKENS) return undefined
  const tps = perSecond(sample.promptTokens, sample.promptMs)
  const cached = tps !== undefined && known?.promptTps && tps > known.promptTps * CACHED_FACTOR
  return cached ? undefined : tps
}

function perSecond(count: number | undefined, ms: number | undefined): number | undefined {
  return count && ms ? (count / ms) * 1000 : undefined
}

function mean(known: number | undefined, sample: number | undefined): number | undefined {
  if (sample === undefined) return known
  return known === undefined ? sample : known + NEWEST * (sample - known)
}

type Loose = {readonly [field in keyof Rate]: Rate[field] | undefined} & {readonly atMs: number}

/** Leaves out what is undefined. Called for each answer, so without a detour over lists of entries. */
function compact(loose: Loose): Rate {
  const {promptTps, promptTokens, promptMs} = loose
  const {answerTps, answerTokens, loadMs, serviceMs, slots, atMs} = loose
  const rate: {-readonly [field in keyof Rate]: Rate[field]} = {atMs}
  if (promptTps !== undefined) rate.promptTps = promptTps
  else {
    if (promptTokens !== undefined) rate.promptTokens = promptTokens
    if (promptMs !== undefined) rate.promptMs = promptMs
  }
  if (answerTps !== undefined) rate.answerTps = answerTps
  if (answerTokens !== undefined) rate.answerTokens = answerTokens
  if (loadMs !== undefined) rate.loadMs = loadMs
  if (serviceMs !== undefined) rate.serviceMs = serviceMs
  if (slots !== undefined) rate.slots = slots
  return rate
}
