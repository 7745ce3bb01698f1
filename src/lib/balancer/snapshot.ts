import type {Candidate} from './candidates.ts'
import type {DispatchRequest} from './dispatch-request.ts'
import type {Replica} from './replica.ts'
import type {Session} from './sessions.ts'

/** A replica as a candidate for that request now, in values that do not change any more. */
export function snapshot(
  replica: Replica,
  request: DispatchRequest,
  session: Session | undefined,
  nowMs: number,
): Candidate {
  replica.consider(request, nowMs, session)
  const {node, latencyMs, inFlight, lastUsedMs, residency, sizeBytes, gpu, own, others} = replica
  const {answerTokens, loadBytesPerMs, waitMs, loadWaitMs, harmMs, cachedTokens} = replica
  const {slower, batchMs, beside, besideMs, onTrial, weight, tier} = replica
  return {
    ...{node, latencyMs, inFlight, lastUsedMs, residency, sizeBytes, gpu, own, others},
    ...{answerTokens, loadBytesPerMs, waitMs, loadWaitMs, harmMs, cachedTokens},
    ...{slower, batchMs, beside, besideMs, onTrial, weight, tier},
  }
}
