import type {Outcome} from '../balancer/dispatch-request.ts'
import type {TracedAttempt} from '../trace/tracing.ts'

/** Ends the span of an attempt, once; `status`: of the answer that the client gets. */
export function endSpan(
  of: {traced?: TracedAttempt | undefined},
  outcome: Outcome,
  status: number,
): void {
  const {traced} = of
  if (!traced) return
  of.traced = undefined
  if (outcome.kind === 'ok') traced.end({status})
  else if (outcome.kind === 'cancelled') traced.end({})
  else {
    const {failure} = outcome
    traced.end({
      failure: failure.kind,
      ...(failure.kind === 'reply' ? {status: failure.status} : {}),
    })
  }
}
