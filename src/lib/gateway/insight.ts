import type {DispatchRequest} from '../balancer/dispatch-request.ts'
import type {Dispatcher} from '../balancer/dispatcher.ts'
import type {FleetView} from '../balancer/fleet-view.ts'
import {routePlanOf} from '../balancer/route-plan.ts'
import {RECORDING_VERSION, type Recording} from '../cluster/recording.ts'
import type {DecisionRecord, RoutePlan} from '../cluster/routing.ts'
import {steadyMs} from './clock.ts'
import type {Decisions} from './decisions.ts'
import type {Admitted} from './guard.ts'

/** Who sees all requests, and can tell of them: in this process, or asked in another one. */
export interface Insight {
  /** What would be done with such a request; decides nothing. */
  explain(request: DispatchRequest): RoutePlan | Promise<RoutePlan>
  /** How things stand at `nowMs`, by the clock of the times in it. */
  view(): MomentView | Promise<MomentView>
  /** What became of the latest requests, the latest first: at most `most`, of models that the asker may use. */
  decisions(
    most: number,
    mayUse: (model: string) => boolean,
  ): readonly DecisionRecord[] | Promise<readonly DecisionRecord[]>
  /** All that a replay of at most `most` of the latest requests needs, of models that the asker may use. */
  recording(
    most: number,
    asker: Pick<Admitted, 'tenant' | 'mayUse'>,
  ): Recording | Promise<Recording>
}

export interface MomentView {
  readonly view: FleetView
  readonly nowMs: number
}

/** That of the process that decides itself. */
export function insightOf(dispatcher: () => Dispatcher, decisions: Decisions): Insight {
  return {
    explain: (request) => routePlanOf(request, dispatcher().explain(request, steadyMs())),
    view() {
      const nowMs = steadyMs()
      return {view: dispatcher().view(nowMs), nowMs}
    },
    decisions: (most, mayUse) => decisions.latest(most, mayUse),
    recording(most, asker) {
      const mayUse = (model: string) => asker.mayUse(model)
      const {policy, nodes} = dispatcher().record()
      return {
        version: RECORDING_VERSION,
        at: new Date().toISOString(),
        policy,
        nodes: nodes.map((node) => ({
          ...node,
          replicas: node.replicas.filter(({model}) => mayUse(model)),
        })),
        requests: decisions.recorded(most, mayUse),
      }
    },
  }
}
