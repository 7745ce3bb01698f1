import type {Upstream} from '../ollama/upstream.ts'
import type {Exchange} from './exchange.ts'
import type {Admitted} from './guard.ts'
import {forwardedHeaders} from './headers.ts'
import {pass} from './pass.ts'

/** Passes a request for a model's files on to the registry that stands behind this gateway. */
export async function models(
  exchange: Exchange,
  admitted: Admitted,
  registry: Upstream,
): Promise<void> {
  const {request} = exchange
  const {ticket} = admitted
  const [path = ''] = exchange.target.split('?')
  if (path === '/v2/token') return exchange.json(200, {token: ticket ?? 'none is needed'})
  // Files are named by their content, which says nothing of the model that they belong to.
  if (!admitted.everyModel)
    return exchange.problem({status: 403, message: 'this key may not read whole models'})
  // What is asked for here is told as the place of a file, and a node's Ollama sends nothing else to it.
  const target = ticket === undefined ? path : `${path}?ticket=${ticket}`
  const headers = forwardedHeaders(request.rawHeaders)
  const {method} = request
  const passed = await pass(exchange, registry, {method, target, headers, body: null})
  if (passed.kind !== 'failed') return
  exchange.outcome = 'failed'
  exchange.problem({status: 502, message: 'the registry of the gateway could not be reached'})
}
