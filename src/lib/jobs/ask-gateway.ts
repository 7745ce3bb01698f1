import type {Cluster, DirectNode, GatewaySpec} from '../cluster/node.ts'
import {messageOf, OllamaxError} from '../errors.ts'
import {openRequest, readJson} from '../ollama/request.ts'
import type {Tools} from './tools.ts'

/** What an answer through the gateway is said to come from as long as it does not say it itself. */
export const GATEWAY = 'gateway'

/** The gateway as something that can be asked like a node. */
export function gatewayNode({url, key, ca}: GatewaySpec): DirectNode {
  return {
    kind: 'direct',
    name: GATEWAY,
    url,
    headers: key ? {'x-api-key': key} : {},
    labels: {},
    drained: false,
    ollama: {},
    ...(ca === undefined ? {} : {ca}),
  }
}

/** Nothing listens there: no gateway runs, and the nodes can be asked without one. */
export function isAbsent(error: unknown): boolean {
  if (!OllamaxError.is(error, 'NODE_UNREACHABLE')) return false
  const {phase} = (error.details ?? {}) as {phase?: string}
  return phase === 'connect'
}

/** That no gateway runs, if that is what the error says. */
export function noneRuns(error: unknown, {url}: GatewaySpec): OllamaxError | undefined {
  if (!isAbsent(error)) return undefined
  return new OllamaxError('NODE_UNREACHABLE', `no gateway runs at ${url}`, {
    cause: error,
    suggestions: ['start it: ollamax serve'],
  })
}

const CONNECT_MS = 5000
const ANSWER_MS = 15_000
const MAX_BYTES = 16 * 1024 * 1024

/**
 * Asks the cluster's gateway for one of its own pages, with what `gateway.key` of the cluster file names. NODE_UNREACHABLE
 * (see `isAbsent`), TIMEOUT, NODE_ERROR in the gateway's words.
 */
export async function askGateway(
  tools: Pick<Tools, 'endpoint' | 'signal'>,
  {name, gateway}: {readonly name: string; readonly gateway: GatewaySpec},
  page: {
    readonly method: 'GET' | 'POST' | 'DELETE'
    readonly path: string
    readonly body?: string
    readonly headers?: Readonly<Record<string, string>>
  },
): Promise<Record<string, unknown>> {
  try {
    const endpoint = await tools.endpoint(gatewayNode(gateway))
    const response = await openRequest(endpoint, {
      ...page,
      headers: {'content-type': 'application/json', ...page.headers},
      signal: tools.signal,
      connectTimeoutMs: CONNECT_MS,
      headersTimeoutMs: ANSWER_MS,
      idleTimeoutMs: ANSWER_MS,
    })
    return await readJson(response, MAX_BYTES)
  } catch (error) {
    if (!OllamaxError.is(error, 'NODE_ERROR')) throw error
    const {status} = (error.details ?? {}) as {status?: number}
    throw new OllamaxError('NODE_ERROR', `the gateway at ${gateway.url}: ${messageOf(error)}`, {
      cause: error,
      suggestions:
        status === 401
          ? [`name a key for it: gateway.key in the file of cluster ${name} (ollamax config edit)`]
          : status === 404
            ? ['is it an ollamax gateway of this version? ollamax serve']
            : [],
      details: error.details ?? {},
    })
  }
}

/** The gateway of a cluster that must have one. BAD_INPUT. */
export function gatewayOf({name, gateway}: Pick<Cluster, 'name' | 'gateway'>): GatewaySpec {
  if (gateway) return gateway
  throw new OllamaxError('BAD_INPUT', `cluster "${name}" names no gateway`, {
    suggestions: [
      'ollamax config edit, and there: gateway: {url: "http://127.0.0.1:11435"}',
      'start one: ollamax serve',
    ],
  })
}
