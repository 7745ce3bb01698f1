import type {Cluster, GatewaySpec} from '../cluster/node.ts'
import type {Endpoint} from '../ollama/endpoint.ts'
import {httpTransport} from '../ollama/http-transport.ts'
import type {Transport} from '../ollama/request.ts'
import {GATEWAY, gatewayNode, isAbsent} from './ask-gateway.ts'
import {attempt, type Dispatched, type DispatchTools, type Order} from './ask-node.ts'

/**
 * Lets a running gateway answer: it sees all requests, so it chooses better than one process can. Undefined if
 * none runs there. Throws as `dispatch` does.
 */
export async function dispatchThrough<T>(
  tools: DispatchTools,
  order: Order<T>,
  {cluster, gateway}: {readonly cluster: Cluster; readonly gateway: GatewaySpec},
): Promise<Dispatched<T> | undefined> {
  const node = gatewayNode(gateway)
  let answering: string | undefined
  const endpoint = async () => {
    const reached = await tools.endpoint(node)
    if (reached.kind !== 'url') return reached
    return {
      kind: 'upstream',
      transport: wishing(order, reached, (name) => (answering = name)),
    } as const
  }
  order.note?.({kind: 'asking', node: GATEWAY})
  const tried = await attempt({...tools, endpoint}, order, {cluster, node})
  if ('value' in tried) {
    const by = answering ?? GATEWAY
    return {...tried, node: by, attempts: tried.attempts.map((one) => ({...one, node: by}))}
  }
  if (isAbsent(tried.error)) return undefined
  const {explainFailure} = await import('./explain-failure.ts')
  throw await explainFailure(tools, {order, cluster, nodes: [node], failed: [tried], excluded: []})
}

/** Sends the wishes of the order along, and hears who has answered. */
function wishing(
  {node, policy}: Pick<Order<unknown>, 'node' | 'policy'>,
  endpoint: Extract<Endpoint, {kind: 'url'}>,
  heard: (node: string) => void,
): Transport {
  const send = httpTransport(endpoint)
  const wishes = {
    ...(node === undefined ? {} : {'x-ollamax-node': node}),
    ...(policy === undefined ? {} : {'x-ollamax-policy': policy}),
  }
  return async (request, signal, connected) => {
    const opened = await send(
      {...request, headers: {...request.headers, ...wishes}},
      signal,
      connected,
    )
    const by = opened.headers['x-ollamax-node']
    if (typeof by === 'string') heard(by)
    return opened
  }
}
