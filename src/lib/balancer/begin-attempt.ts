import type {Patience} from './dispatch-request.ts'
import type {Attempt, Job} from './job.ts'
import {type AnswerLengths, patienceFor, wholeAnswerMs} from './patience.ts'
import type {Replica} from './replica.ts'
import {expectedTime} from './score.ts'
import {expectedAnswer} from './work.ts'

/** An attempt that begins, and what the door has to know of it. */
export interface Begun {
  readonly attempt: Attempt
  readonly patience: Patience
  readonly numCtx: number | undefined
  /** A few words for a header. */
  readonly reason: string
}

/** Takes a slot of that replica for the job; `considered`: `consider` was called for it, with what it found. */
export function beginAttempt(job: Job, replica: Replica, nowMs: number): Begun {
  const {request, model} = job
  const {residency, residence, at, running, cachedTokens} = replica
  const terms = expectedTime(request, replica, nowMs)
  const numCtx = residency === 'cold' ? request.numCtx : residence.numCtxFor(request)
  const warm = residency === 'loaded'
  // A hedge has at least the one beside which it is.
  const others =
    job.hedgeOf !== undefined ||
    model.replicas.some((other) => other !== replica && other.blocked(job, nowMs) === undefined)
  // Where the number of slots is learned, the one that tries for another may wait for those before it.
  let aheadMs = 0
  if (at.spec.slots === undefined)
    for (const before of running) aheadMs = Math.max(aheadMs, before.remainingMs(nowMs))
  if (residency === 'cold' || residency === 'reload') replica.startLoad(terms.loadMs, numCtx, nowMs)
  replica.trials.given(nowMs)
  running.push(job)
  at.inFlight++
  model.used(nowMs)
  const attempt: Attempt = {
    ...{replica, sentMs: nowMs, warm, cachedTokens},
    expected: {loadMs: terms.loadMs, promptMs: terms.promptMs, answerMs: terms.answerMs},
    atOnce: running.length,
    crowding: replica.crowding(),
    beside: at.besideOf(replica),
    tickets: {replica: replica.breaker.take(), node: at.breaker.take()},
  }
  const msPerToken = 1000 / (replica.own?.answerTps ?? 1)
  const patience = patienceFor({
    ...{terms, aheadMs, others, loaded: warm},
    answerMs: request.streams ? msPerToken : wholeAnswerMs(terms, lengthsOf(job, replica)),
    worst: replica.worst,
    brief: replica.onTrial && replica.trials.brief,
    msPerToken,
  })
  return {attempt, patience, numCtx, reason: reasonFor(replica, others)}
}

/** Of a context that nobody has told: Ollama's own default. */
const CONTEXT_TOKENS = 4096

function lengthsOf({request, model, failed}: Job, {residence}: Replica): AnswerLengths {
  const {maxAnswerTokens: limit = 0} = request
  const context = residence.loaded?.contextLength ?? request.numCtx ?? CONTEXT_TOKENS
  const usual = expectedAnswer(request, model.answerTokens)
  return {
    // What the time of an answer was reckoned with.
    usual: usual > 0 ? usual : undefined,
    seen: model.longestTokens,
    most: limit > 0 ? Math.min(limit, context) : context,
    again: failed?.failure.kind === 'timeout',
  }
}

function reasonFor({cachedTokens, residency}: Replica, others: boolean): string {
  const why =
    cachedTokens > 0
      ? `prefix ${Math.round(cachedTokens)} tokens`
      : residency === 'loaded'
        ? 'warm'
        : residency
  return others ? why : `${why}, only one`
}
