import type {Attempt, Job} from './job.ts'
import type {Replica} from './replica.ts'
import {expectedTime} from './score.ts'
import type {Session} from './sessions.ts'

/** Sooner nothing is won: connections and scheduling take that long, too. */
const LEAST_MS = 100
/** Less than this is expected of no prompt: it would be a measure of the network. */
const LEAST_PROMPT_MS = 50
/** A timer may be early by so much. */
const EARLY_MS = 5

/** How late the first byte of an attempt is, as a multiple of what was expected. */
export function latenessOf({sentMs, expected}: Attempt, begunMs: number): number {
  return (begunMs - sentMs) / Math.max(LEAST_PROMPT_MS, expected.promptMs)
}

/**
 * When a second attempt is worth it, in ms from its sending: when only one in twenty first bytes of that replica came
 * later, as measured by the prompt. Undefined: never. A cold load is never hedged, and no answer that comes whole: that
 * one is late where it is long.
 */
export function hedgeAfterMs({request, hedged}: Job, attempt: Attempt): number | undefined {
  if (!request.mayHedge || hedged || !attempt.warm) return undefined
  const usual = attempt.replica.firstBytes.usual
  if (usual === undefined) return undefined
  const afterMs = usual * Math.max(LEAST_PROMPT_MS, attempt.expected.promptMs)
  return Math.round(Math.max(LEAST_MS, afterMs))
}

/**
 * Another attempt was faster than this one, which is cancelled. It was at least so late: if only those counted that were
 * let be, less and less would be called late. Nothing else is learned from it.
 */
export function noteHedged({hedged, hedgeOf}: Job, attempt: Attempt, nowMs: number): void {
  if (hedged && !hedgeOf && attempt.begunMs === undefined)
    attempt.replica.firstBytes.add(latenessOf(attempt, nowMs))
}

/**
 * Where a second attempt of that job may go now: the best of the other nodes that have exactly the same model in memory,
 * a slot free and nothing else to do with their hardware, while nobody waits for the model. Undefined: nowhere.
 */
export function chooseHedge(
  job: Job,
  {nowMs, session}: {readonly nowMs: number; readonly session: Session | undefined},
): Replica | undefined {
  const {attempt, model, request} = job
  if (!attempt || attempt.begunMs !== undefined || model.queue.length > 0) return undefined
  const afterMs = hedgeAfterMs(job, attempt)
  if (afterMs === undefined || nowMs - attempt.sentMs < afterMs - EARLY_MS) return undefined
  const {digest} = attempt.replica.tag
  let best: Replica | undefined
  let bestMs = Number.POSITIVE_INFINITY
  for (const one of model.replicas) {
    if (one.node === attempt.replica.node || digest === '' || one.tag.digest !== digest) continue
    // Whoever has to show first that it is well again is no help.
    if (one.blocked(job, nowMs) !== undefined || !one.breaker.closed || !one.at.breaker.closed)
      continue
    one.consider(request, nowMs, session)
    if (one.residency !== 'loaded' || !one.free(nowMs) || one.beside > 0) continue
    const {totalMs} = expectedTime(request, one, nowMs)
    if (totalMs >= bestMs) continue
    best = one
    bestMs = totalMs
  }
  best?.consider(request, nowMs, session)
  return best
}
