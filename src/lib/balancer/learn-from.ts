import type {AnswerStats} from '../cluster/answer-stats.ts'
import {latenessOf} from './hedge.ts'
import type {Attempt, Job} from './job.ts'
import {learn, queueMs, wasCold} from './rates.ts'
import {workOf} from './work.ts'

/** The memory of a late first byte fades so much with each good answer. */
const FADE = 0.95

/** How crowded a node was when a request was sent and when it ended, as `Replica.crowding` tells. */
export interface Crowd {
  readonly crowding: number
  /** Other models that were at work there at both times. */
  readonly beside: number
}

/** Of an attempt that is just ending: to be asked while it still counts. */
export function crowdNow({replica, crowding, beside}: Attempt): Crowd {
  return {
    crowding: (crowding + replica.crowding()) / 2,
    beside: Math.min(beside, replica.at.besideOf(replica)),
  }
}

/** Takes from an answer all that it tells of its node and its model. */
export function learnFrom(
  {job, attempt, crowd}: {readonly job: Job; readonly attempt: Attempt; readonly crowd: Crowd},
  told: AnswerStats,
  nowMs: number,
): void {
  const {replica, sentMs, begunMs, warm} = attempt
  const stats = completed(told, attempt, nowMs)
  learnSpeed(attempt, stats, crowd, nowMs)
  job.model.learn(stats)
  replica.answered(nowMs)
  replica.at.alive(nowMs)
  replica.hindrance.succeeded(replica.slots)
  if (begunMs === undefined) replica.prefixes.add(job.request.prefix)
  if (wasCold(stats)) replica.slotsLearned.reloaded()
  if (!warm || wasCold(stats)) return
  const lateness = latenessOf(attempt, begunMs ?? nowMs)
  if (job.request.mayHedge) replica.firstBytes.add(lateness)
  replica.worst = Math.max(1, replica.worst * FADE, begunMs === undefined ? 1 : lateness)
  const fresh = Math.max(0, (stats.promptTokens ?? 0) - attempt.cachedTokens)
  replica.slotsLearned.learn(
    {
      atOnce: attempt.atOnce,
      queueMs: queueMs(told),
      totalMs: told.totalMs,
      tookMs: nowMs - sentMs,
      work: workOf(fresh, stats.answerTokens ?? 0),
    },
    nowMs,
  )
}

function learnSpeed(attempt: Attempt, stats: AnswerStats, crowd: Crowd, nowMs: number): void {
  const {replica, sentMs, cachedTokens} = attempt
  const {rates, at} = replica
  const {answerTps, failedAtMs} = rates.current ?? {}
  const {answerTokens, answerMs} = stats
  // Where it is known how fast it is alone, an answer beside others tells how much they take from each other.
  if (crowd.beside > 0 && answerTps && answerTokens && answerMs)
    at.learnSharing((answerMs * answerTps) / (answerTokens * 1000), crowd.beside)
  const rate = learn(rates.current, alone(stats, cachedTokens, crowd.crowding), nowMs)
  // An answer that was under way when another one failed is no sign of recovery.
  const before = failedAtMs !== undefined && sentMs < failedAtMs
  rates.current = before ? {...rate, failedAtMs} : rate
  if (!before) replica.trials.succeeded()
}

/** What it would have told had it been alone on the node and nothing of the prompt been cached. */
function alone(stats: AnswerStats, cachedTokens: number, crowding: number): AnswerStats {
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
  if (told.promptMs !== undefined || told.answerMs !== undefined || !warm) return told
  if (told.totalMs !== undefined && told.answerTokens === undefined)
    return {...told, promptMs: Math.max(0, told.totalMs - (told.loadMs ?? 0))}
  if (begunMs !== undefined && begunMs < nowMs)
    return {...told, promptMs: begunMs - sentMs, answerMs: nowMs - begunMs}
  return {...told, answerMs: nowMs - sentMs}
}
