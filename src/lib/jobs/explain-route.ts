import {candidatesFor} from '../balancer/candidates.ts'
import {policyNamed, rank} from '../balancer/policies.ts'
import type {Rate} from '../balancer/rates.ts'
import {routePlanOf} from '../balancer/route-plan.ts'
import type {Cluster} from '../cluster/node.ts'
import type {DecisionRecord, RoutePlan} from '../cluster/routing.ts'
import {OllamaxError} from '../errors.ts'
import type {GenerateRequest} from '../ollama/wire.ts'
import {readUse} from '../state/leases.ts'
import {readRates} from '../state/rates-file.ts'
import {askGateway, gatewayOf, isAbsent, noneRuns} from './ask-gateway.ts'
import {leaseDir, ratesPath} from './ask-node.ts'
import {observe} from './observe.ts'
import {balanceRequestOf} from './run-model.ts'
import type {Tools} from './tools.ts'

type RouteTools = Pick<Tools, 'cluster' | 'clusterName' | 'endpoint' | 'env' | 'paths' | 'signal'>

/** Where a request would go, and who says so. */
export interface ExplainedRoute extends RoutePlan {
  readonly cluster: string
  /** `gateway`: it decides for all that ask through it; `here`: this process, as `ollamax run` does. */
  readonly by: 'gateway' | 'here'
  /** Of the gateway; null: none was asked. */
  readonly url: string | null
}

export interface ExplainOptions {
  readonly body: GenerateRequest
  /** Instead of the cluster's. */
  readonly policy?: string | undefined
  /** For each node to be read, where this process decides. */
  readonly timeoutMs: number
}

/**
 * Asks the cluster's gateway where such a request would go now, or finds it out as `runModel` would if none runs;
 * nothing is sent to a model. BAD_INPUT for a policy that there is not, and what `askGateway` throws.
 */
export async function explainRoute(
  tools: RouteTools,
  options: ExplainOptions,
): Promise<ExplainedRoute> {
  const cluster = await tools.cluster()
  const policy = policyNamed(options.policy ?? cluster.policy)
  const {gateway} = cluster
  if (gateway) {
    try {
      const page = {
        method: 'POST',
        path: '/ollamax/v1/explain',
        body: JSON.stringify(options.body),
        ...(options.policy === undefined ? {} : {headers: {'x-ollamax-policy': policy}}),
      } as const
      const plan = await askGateway(tools, {name: cluster.name, gateway}, page)
      return {cluster: cluster.name, by: 'gateway', url: gateway.url, ...checked(plan)}
    } catch (error) {
      if (!isAbsent(error)) throw error
    }
  }
  const request = balanceRequestOf(options.body)
  const {candidates, excluded} = await lookAt(tools, cluster, {request, ...options})
  const ranked = rank(request, candidates, policy, {nowMs: Date.now(), random: Math.random})
  const plan = routePlanOf(request, {policy, ranked, excluded})
  return {cluster: cluster.name, by: 'here', url: null, ...plan}
}

async function lookAt(
  tools: RouteTools,
  cluster: Cluster,
  {
    request,
    timeoutMs,
  }: {readonly request: ReturnType<typeof balanceRequestOf>; readonly timeoutMs: number},
) {
  const {nodes} = cluster
  const readings = await observe(tools, nodes, {timeoutMs})
  const use = readUse(
    leaseDir(tools, cluster),
    nodes.map(({name}) => name),
  )
  const views = nodes.map(({name, drained}, at) => {
    const {inFlight, lastUsedMs} = use.get(name) ?? {inFlight: 0, lastUsedMs: 0}
    return {name, drained, reading: readings[at], inFlight, lastUsedMs}
  })
  return candidatesFor(request, views, readRates<Rate>(ratesPath(tools, cluster)))
}

/**
 * What became of the latest requests through the cluster's gateway, the latest first. BAD_INPUT if the cluster names no
 * gateway, NODE_UNREACHABLE if none runs, and what `askGateway` throws.
 */
export async function latestDecisions(
  tools: Pick<Tools, 'cluster' | 'endpoint' | 'signal'>,
  most: number,
): Promise<{readonly cluster: string; readonly decisions: readonly DecisionRecord[]}> {
  const cluster = await tools.cluster()
  const gateway = gatewayOf(cluster)
  const page = {method: 'GET', path: `/ollamax/v1/decisions?limit=${most}`} as const
  try {
    const {decisions} = await askGateway(tools, {name: cluster.name, gateway}, page)
    if (!Array.isArray(decisions)) throw strange(gateway.url)
    return {cluster: cluster.name, decisions: decisions as readonly DecisionRecord[]}
  } catch (error) {
    throw noneRuns(error, gateway) ?? error
  }
}

/** It comes from a gateway that may be of another version: only what is printed without a look must be there. */
function checked(plan: Record<string, unknown>): RoutePlan {
  const {model, policy, candidates, excluded} = plan
  const whole = typeof model === 'string' && typeof policy === 'string'
  if (whole && Array.isArray(candidates) && Array.isArray(excluded))
    return plan as unknown as RoutePlan
  throw strange('it')
}

const strange = (who: string) =>
  new OllamaxError('NODE_ERROR', `${who} does not answer like a gateway of this version`)
