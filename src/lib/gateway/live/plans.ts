import type {Decision, DispatchRequest} from '../../balancer/dispatch-request.ts'
import {routePlanOf} from '../../balancer/route-plan.ts'
import type {RoutePlan} from '../../cluster/routing.ts'

/** So many requests' tables are kept, and so many rows of each: some hundred kilobytes, a few megabytes at most. */
const KEPT = 200
const ROWS = 40

/** What was expected of each node when a request was sent, of the latest requests while somebody watches. */
export class Plans {
  readonly #plans = new Map<string, RoutePlan>()

  readonly add = (request: DispatchRequest, plan: Decision): void => {
    const {requestId} = request
    if (requestId === undefined) return
    this.#plans.delete(requestId)
    this.#plans.set(requestId, shortened(routePlanOf(request, plan)))
    for (const [oldest] of this.#plans) {
      if (this.#plans.size <= KEPT) break
      this.#plans.delete(oldest)
    }
  }

  of(requestId: string): RoutePlan | undefined {
    return this.#plans.get(requestId)
  }
}

/** The best ones, which is what the decision was about. */
export function shortened(plan: RoutePlan): RoutePlan {
  const {candidates, excluded} = plan
  return {...plan, candidates: candidates.slice(0, ROWS), excluded: excluded.slice(0, ROWS)}
}
