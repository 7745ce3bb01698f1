import {setTimeout as pause} from 'node:timers/promises'
import type {LiveWireFrame} from '../../cluster/live-wire.ts'
import type {Exchange} from '../exchange.ts'
import type {Admitted} from '../guard.ts'
import type {LiveDoor} from './door.ts'

/** Frames come so often at most. */
const EVERY_MS = 250
/** Where nothing is new, one is sent after so long. */
const QUIET_MS = 1000
/** So many may watch at once, in each process that answers clients. */
const WATCHERS = 32

let watchers = 0

/** `GET /ollamax/v1/live`: frames until the client leaves or the gateway ends. */
export async function livePage(
  exchange: Exchange,
  door: LiveDoor,
  {admitted, draining}: {readonly admitted: Admitted; readonly draining: () => boolean},
): Promise<void> {
  if (watchers >= WATCHERS)
    return exchange.problem({
      status: 503,
      message: `${WATCHERS} watch already`,
      retryAfterMs: 5000,
    })
  watchers++
  const left = new AbortController()
  exchange.response.once('close', () => left.abort())
  try {
    exchange.outcome = 'ok'
    exchange.head(200, ['Content-Type', 'application/x-ndjson', 'Cache-Control', 'no-store'])
    if (exchange.request.method === 'HEAD') return
    await frames(exchange, door, {admitted, draining, left: left.signal})
  } finally {
    watchers--
    if (exchange.open) exchange.response.end()
  }
}

async function frames(
  exchange: Exchange,
  door: LiveDoor,
  {
    admitted,
    draining,
    left,
  }: {
    readonly admitted: Admitted
    readonly draining: () => boolean
    readonly left: AbortSignal
  },
): Promise<void> {
  let cursor: number | undefined
  let toldMs = 0
  while (exchange.open && !draining()) {
    const look = await door.look(cursor)
    const frame = admitted.everyModel ? look.frame : allowed(look.frame, admitted)
    const nowMs = performance.now()
    if (isNews(frame) || nowMs - toldMs >= QUIET_MS) {
      cursor = look.cursor
      toldMs = nowMs
      await tell(exchange, frame, left)
    }
    await quietly(pause(EVERY_MS, undefined, {signal: left}))
  }
}

/** Resolves when the client has taken what was sent before, so that for a slow one frames become one. */
async function tell(exchange: Exchange, frame: LiveWireFrame, left: AbortSignal): Promise<void> {
  if (!exchange.open) return
  const line = `${JSON.stringify(frame)}\n`
  exchange.bytesOut += Buffer.byteLength(line)
  if (exchange.response.write(line)) return
  const taken = Promise.withResolvers<void>()
  exchange.response.once('drain', taken.resolve)
  left.addEventListener('abort', () => taken.resolve(), {once: true})
  if (left.aborted) return
  await taken.promise
}

const quietly = (work: Promise<void>) => work.catch(() => {})

/** That a node was read again and is as it was comes with the next frame. */
function isNews({whole, order, nodes, changed, requests, events}: LiveWireFrame): boolean {
  const some = nodes.length > 0 || changed !== undefined || requests.length > 0 || events.length > 0
  return whole || order !== undefined || some
}

/** Events in whose words a model may stand. */
const OF_NODES = new Set(['up', 'down', 'added', 'removed', 'drained', 'undrained'])

/** As it is shown to a key that may use some models only. */
function allowed(frame: LiveWireFrame, admitted: Pick<Admitted, 'mayUse'>): LiveWireFrame {
  const mayUse = (model: string) => admitted.mayUse(model)
  const those = <T extends {readonly name: string}>(models: readonly T[]) =>
    models.filter(({name}) => mayUse(name))
  const {nodes, changed} = frame
  return {
    ...frame,
    nodes: nodes.map((node) => ({
      ...node,
      loaded: those(node.loaded),
      models: those(node.models),
    })),
    ...(changed && {changed: changed.map((node) => ({...node, loaded: those(node.loaded)}))}),
    requests: frame.requests.filter(({model}) => model !== undefined && mayUse(model)),
    events: frame.events.filter(({event}) => OF_NODES.has(event)),
  }
}
