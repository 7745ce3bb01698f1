import type {Cluster} from '../../cluster/node.ts'
import {OllamaxError} from '../../errors.ts'
import type {NodeEndpoint} from '../../ollama/endpoint.ts'
import {openRequest} from '../../ollama/request.ts'
import {gatewayNode, isAbsent} from '../ask-gateway.ts'
import type {Tools} from '../tools.ts'

/** Something that spreads requests over the fleet, as a gateway does. */
export interface Door {
  readonly endpoint: NodeEndpoint
  /** The cluster's gateway, or this process alone. */
  readonly through: 'gateway' | 'own'
  close(): Promise<void>
}

/** Becomes a gateway of this process alone. */
export type OpenOwn = (cluster: Cluster) => Promise<Pick<Door, 'endpoint' | 'close'>>

const CONNECT_MS = 5000
const ANSWER_MS = 15_000

/**
 * The cluster's gateway where one runs, because it sees all requests; else one of our own. NODE_UNREACHABLE and the like
 * where there is something that does not answer; NO_CANDIDATE for a cluster without nodes.
 */
export async function findDoor(
  tools: Pick<Tools, 'endpoint' | 'signal'>,
  cluster: Cluster,
  openOwn: OpenOwn,
): Promise<Door> {
  const running = cluster.gateway && (await runningGateway(tools, cluster.gateway))
  if (running) return {endpoint: running, through: 'gateway', close: async () => {}}
  if (cluster.nodes.some((node) => !node.drained))
    return {...(await openOwn(cluster)), through: 'own'}
  throw new OllamaxError('NO_CANDIDATE', `cluster "${cluster.name}" has no node to ask`, {
    suggestions: ['add one: ollamax node add', 'or take one back: ollamax node undrain NODE'],
  })
}

async function runningGateway(
  tools: Pick<Tools, 'endpoint' | 'signal'>,
  gateway: NonNullable<Cluster['gateway']>,
): Promise<NodeEndpoint | undefined> {
  const endpoint = await tools.endpoint(gatewayNode(gateway))
  if (endpoint.kind === 'upstream') throw new Error('a gateway is reached by its URL')
  try {
    const response = await openRequest(endpoint, {
      method: 'GET',
      path: '/healthz',
      signal: tools.signal,
      connectTimeoutMs: CONNECT_MS,
      headersTimeoutMs: ANSWER_MS,
    })
    response.abort()
    if (response.status < 500) return endpoint
    throw new OllamaxError('NODE_ERROR', `the gateway at ${gateway.url} answers ${response.status}`)
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
}
