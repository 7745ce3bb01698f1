import {POLICY_NAMES, policyNamed} from '../balancer/policies.ts'
import type {Recording} from '../cluster/recording.ts'
import {OllamaxError} from '../errors.ts'
import {CANNOT_KNOW, type Replay, replay} from '../simulator/replay.ts'
import {checkRecording, parseRecording} from '../state/recording-schema.ts'
import {askGateway, gatewayOf, noneRuns} from './ask-gateway.ts'
import type {Tools} from './tools.ts'

type GatewayTools = Pick<Tools, 'cluster' | 'endpoint' | 'signal'>

/** How recorded requests would have gone. */
export interface ReplayedRoute extends Replay {
  /** What the figures cannot take into account. */
  readonly cannotKnow: readonly string[]
}

/**
 * The latest requests through the cluster's gateway and what it knows of its nodes. BAD_INPUT if the cluster names no
 * gateway, NODE_UNREACHABLE if none runs, NODE_ERROR if it is of another version, and what `askGateway` throws.
 */
export async function latestRecording(tools: GatewayTools, most: number): Promise<Recording> {
  const cluster = await tools.cluster()
  const gateway = gatewayOf(cluster)
  const page = {method: 'GET', path: `/ollamax/v1/recording?limit=${most}`} as const
  try {
    return checkRecording(await askGateway(tools, {name: cluster.name, gateway}, page))
  } catch (error) {
    if (OllamaxError.is(error, 'BAD_INPUT'))
      throw new OllamaxError(
        'NODE_ERROR',
        `${gateway.url} does not answer like a gateway of this version`,
        {cause: error},
      )
    throw noneRuns(error, gateway) ?? error
  }
}

/**
 * Runs recorded requests once more, under each policy. BAD_INPUT for a policy that there is not, or what is no recording
 * of this version; and what `latestRecording` throws.
 */
export async function replayRoute(
  tools: GatewayTools,
  options: {
    /** JSON lines as `route export` writes them; absent: the gateway is asked. */
    readonly text?: string | undefined
    /** Empty: all. */
    readonly policies: readonly string[]
    /** Of the latest requests, so many are asked for. */
    readonly most: number
  },
): Promise<ReplayedRoute> {
  const policies = (options.policies.length > 0 ? options.policies : POLICY_NAMES).map(policyNamed)
  const recording =
    options.text === undefined
      ? await latestRecording(tools, options.most)
      : parseRecording(options.text)
  return {...replay(recording, [...new Set(policies)]), cannotKnow: CANNOT_KNOW}
}
