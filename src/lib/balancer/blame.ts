import type {Attempt} from './job.ts'
import {learnFailure} from './rates.ts'
import {type Failure, isLoadError, type Verdict} from './verdict.ts'

/**
 * Holds a failed attempt against whom it is due: the node, the model on it, or nobody. `begun`: something of its answer
 * was shown.
 */
export function blame(
  attempt: Attempt,
  {failure, verdict, begun}: {failure: Failure; verdict: Verdict; begun: boolean},
  nowMs: number,
): void {
  const {replica, tickets, sentMs} = attempt
  if (verdict === 'broken') replica.trials.failed({sentMs, shown: begun}, nowMs)
  const longestMs = replica.trials.pauseMs
  const {at, breaker, hindrance} = replica
  if (failure.kind === 'unreachable') {
    breaker.release(tickets.replica)
    at.breaker.fail(tickets.node, nowMs, {atOnce: true, longestMs})
  } else if (failure.kind === 'reply' || failure.kind === 'line') {
    // Whatever it says: it can be reached.
    at.breaker.succeed(tickets.node)
  } else at.breaker.release(tickets.node)
  if (verdict !== 'broken') {
    // A mistake of the caller's shows neither that it serves nor that it does not.
    breaker.release(tickets.replica)
    if (verdict === 'busy') hindrance.tooBusy(nowMs)
    if (verdict === 'missing') {
      hindrance.missed(nowMs)
      replica.unloaded(nowMs)
    }
    // It has loaded nothing, so nobody is to be answered in the context that it asked for.
    abandonLoad(attempt, nowMs)
    return
  }
  replica.rates.current = learnFailure(replica.rates.current, nowMs)
  const {warm, begunMs} = attempt
  if (isLoadError(failure, {warm, begun: begun || begunMs !== undefined})) {
    breaker.release(tickets.replica)
    hindrance.ban(sentMs, nowMs)
    replica.unloaded(nowMs)
    return
  }
  if (failure.kind !== 'unreachable')
    breaker.fail(tickets.replica, nowMs, {atOnce: failure.kind === 'timeout', longestMs})
  abandonLoad(attempt, nowMs)
}

/** The attempt is over without saying anything: the client has left. */
export function forget(attempt: Attempt, nowMs: number): void {
  attempt.replica.breaker.release(attempt.tickets.replica)
  attempt.replica.at.breaker.release(attempt.tickets.node)
  abandonLoad(attempt, nowMs)
}

/** Ollama gives up a load whose request has gone, and begins none for one that it refuses; the next one starts it anew. */
function abandonLoad({replica, begunMs}: Attempt, nowMs: number): void {
  const {residence, running} = replica
  if (begunMs === undefined && residence.loading && running.length === 0) replica.unloaded(nowMs)
}
