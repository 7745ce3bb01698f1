import type {Exchange} from '../exchange.ts'
import type {Admitted} from '../guard.ts'
import type {LiveDoor} from './door.ts'

/** What a client is told whose request somebody has ended. 410, since no client tries that again by itself. */
export const CANCELLED = {
  status: 410,
  message: 'the request was cancelled by whoever looks after the gateway',
} as const

/** `GET` and `DELETE /ollamax/v1/requests/:id`: the decision behind a request, or its end. */
export async function requestPage(
  exchange: Exchange,
  door: LiveDoor,
  admitted: Admitted,
): Promise<void> {
  const path = exchange.target.split('?', 1)[0] ?? ''
  const id = path.slice(path.lastIndexOf('/') + 1)
  const found = await door.decision(id)
  const model = found?.request.model
  const shown = found && (admitted.everyModel || (model !== undefined && admitted.mayUse(model)))
  if (!shown) return exchange.problem({status: 404, message: `request ${id} is not known here`})
  if (exchange.request.method !== 'DELETE') return exchange.json(200, found)
  if (await door.cancel(id)) return exchange.json(200, {id, cancelled: true})
  exchange.problem({status: 404, message: `request ${id} has ended already`})
}
