import type {Decision, DispatchRequest} from './dispatch-request.ts'
import {explainExcluded} from './excluded.ts'
import type {Job} from './job.ts'
import type {NodeState} from './node-state.ts'
import {type PolicyName, rank} from './policies.ts'
import {unknown} from './refusal.ts'
import type {Session} from './sessions.ts'
import {snapshot} from './snapshot.ts'

/** All that could take a job now, the best first, and why the others cannot; decides nothing. */
export function tableOf(
  job: Job,
  nodes: ReadonlyMap<string, NodeState>,
  {
    policy,
    session,
    ...options
  }: {
    readonly policy: PolicyName
    /** Where the last request of the same conversation was answered. */
    readonly session: Session | undefined
    readonly nowMs: number
    readonly random: () => number
    readonly stickTo: string | undefined
  },
): Decision {
  const {request, model} = job
  const {nowMs} = options
  const able = model.replicas.filter((one) => one.blocked(job, nowMs) === undefined)
  const candidates = able.map((one) => snapshot(one, request, session, nowMs))
  const ranked = rank(request, candidates, policy, options)
  const reason = ranked[0]?.candidate.residency ?? 'nobody can take it'
  return {policy, reason, ranked, excluded: explainExcluded(job, nodes, nowMs)}
}

/** For a table behind an order: that somebody looks must not change what chance decides afterwards. */
export const noLots = () => 0.5

/** The same for a model that no node has. */
export function emptyTable(
  request: DispatchRequest,
  nodes: ReadonlyMap<string, NodeState>,
  policy: PolicyName,
): Decision {
  const {excluded} = unknown(request, nodes)
  return {policy, reason: 'no node has it', ranked: [], excluded}
}
