import type {AnswerStats} from '../cluster/answer-stats.ts'
import type {Attempt, Job} from './job.ts'
import {learn, queueMs, wasCold} from './rates.ts'

/** The memory of a late first byte fades so much with each good answer. */
const FADE = 0.95
/** A prompt token costs about this share of an answer's token. */
const PROMPT_SHARE = 0.05

/** Takes from an answer all that it tells of its node and its model. */
export function learnFrom(job: Job, attempt: Attempt, told: AnswerStats, nowMs: number): void {
  const {replica, sentMs, begunMs} = attempt
  const stats = completed(told, attempt, nowMs)
  const {failedAtMs} = replica.rate ?? {}
  const rate = learn(replica.rate, alone(stats, attempt), nowMs)
  // An answer that was under way when another one failed is no sign of recovery.
  replica.rate = failedAtMs !== undefined && sentMs < failedAtMs ? {...rate, failedAtMs} : rate
  job.model.learn(stats)
  replica.answered(nowMs)
  replica.at.alive(nowMs)
  replica.succeeded()
  if (begunMs === undefined) replica.prefixes.add(job.request.prefix)
  if (!attempt.warm || wasCold(stats)) return
  const {expected} = attempt
  const lateness = ((begunMs ?? nowMs) - sentMs) / Math.max(50, expected.promptMs)
  replica.worst = Math.max(1, replica.worst * FADE, begunMs === undefined ? 1 : lateness)
  replica.learnSlots(
    {
      atOnce: attempt.atOnce,
      queueMs: queueMs(told),
      tookMs: nowMs - sentMs,
      work:
        (stats.answerTokens ?? 0) +
        PROMPT_SHARE * Math.max(0, (stats.promptTokens ?? 0) - attempt.cachedTokens),
    },
    nowMs,
  )
}

/** What it would have told had it been alone on the node and nothing of the prompt been cached. */
function alone(stats: AnswerStats, {cachedTokens, crowding}: Attempt): AnswerStats {
  if (cachedTokens === 0 && crowding === 1) return stats
  const {promptTokens, promptMs, answerMs} = stats
  return {
    ...stats,
    ...(promptTokens === undefined ? {} : {promptTokens: Math.max(0, promptTokens - cachedTokens)}),
    ...(promptMs === undefined ? {} : {promptMs: promptMs / crowding}),
    ...(answerMs === undefined ? {} : {answerMs: answerMs / crowding}),
  }
}

/** What the node did not tell, as its OpenAI door never tells durations, by our own clock. */
function completed(
  told: AnswerStats,
  {sentMs, begunMs, warm}: Attempt,
  nowMs: number,
): AnswerStats {
  if (told.promptMs !== undefined || told.answerMs !== undefined) return told
  if (!warm) return told
  if (told.totalMs !== undefined && told.answerTokens === undefined)
    return {...told, promptMs: Math.max(0, told.totalMs - (told.loadMs ?? 0))}
  if (begunMs !== undefined && begunMs < nowMs)
    return {...told, promptMs: begunMs - sentMs, answerMs: nowMs - begunMs}
  return {...told, answerMs: nowMs - sentMs}
}
