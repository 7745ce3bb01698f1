import type {IncomingMessage, ServerResponse} from 'node:http'
import {ApiError, readBody} from './http.ts'
import {fullName, type Model, type ModelStore} from './model.ts'
import type {Fault, Settings} from './options.ts'
import type {Scheduler} from './scheduler.ts'

/** What a request meets on this node. */
export interface Exchange {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly path: string
  readonly settings: Settings
  readonly fault: Fault | undefined
  readonly store: ModelStore
  readonly scheduler: Scheduler
  /** Aborts when the client goes away or the node is closed. */
  readonly signal: AbortSignal
  readonly beganAt: number
  /** Told the body as soon as it is read. */
  readonly onBody: (body: Record<string, unknown>) => void
}

export type Route = (exchange: Exchange) => Promise<void> | void

export async function bodyOf({req, onBody}: Exchange): Promise<Record<string, unknown>> {
  const read = await readBody(req)
  onBody(read)
  return read
}

/** The model of a body that names it by `model` or, as the real CLI does, by `name`. */
export function named(
  given: Record<string, unknown>,
  store: ModelStore,
): {readonly spelt: string; readonly name: string; readonly model: Model | undefined} {
  const spelt = String(given.model || given.name || '')
  if (spelt === '') throw new ApiError(400, 'model is required')
  const name = fullName(spelt)
  if (name === undefined) throw new ApiError(400, 'invalid model name')
  return {spelt, name, model: store.list().find((m) => m.name === name)}
}
