import {setImmediate} from 'node:timers/promises'
import {Keyring} from '../../auth/keyring.ts'
import {Aliases} from '../../cluster/alias.ts'
import {askNobody} from '../../cluster/ask.ts'
import {OllamaxError} from '../../errors.ts'
import type {Exchange} from '../../gateway/exchange.ts'
import type {Gateway} from '../../gateway/gateway.ts'
import {hubOver} from '../../gateway/hub-over.ts'
import {HubSource} from '../../gateway/live/hub-source.ts'
import {makeTools} from '../../jobs/make-tools.ts'
import {openUpstream, type Upstream} from '../../ollama/upstream.ts'
import {openTracing, type Tracing} from '../../trace/tracing.ts'
import {type DoorSettings, type KeysNow, openDoor} from '../open-door.ts'
import {recordOf} from '../record.ts'
import {ownEndpoint} from '../start-fleet.ts'
import {boundYoungSpace} from '../young-space.ts'
import type {PrimaryDesk, WorkerDesk, WorkerSettings} from './desks.ts'
import {FleetCopy} from './fleet-copy.ts'
import {Link} from './link.ts'
import {remoteDispatcher, remoteParts, told} from './remote.ts'

/** How often the primary is told what this process uses. */
const USAGE_MS = 2000
/** How often it is told what nodes have written. */
const TOKENS_MS = 1000

/**
 * Answers clients on behalf of the process that has forked this one, until that one ends or wants it to end: it reads
 * requests, relays answers, and asks the primary for every decision. BAD_INPUT if there is no such process.
 */
export async function runWorker(env: NodeJS.ProcessEnv): Promise<void> {
  if (!process.send)
    throw new OllamaxError('BAD_INPUT', 'a worker is started by the gateway alone', {
      suggestions: ['ollamax serve --workers 2'],
    })
  boundYoungSpace()
  // Signals go to the whole group; when to end is said by the primary. Its end is ours (node:cluster sees to that).
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => {})
  const stop = new AbortController()
  const tools = makeTools({env, signal: stop.signal, ask: askNobody, reuse: false})
  const drained = Promise.withResolvers<number>()
  let aliases = new Aliases()
  let keys: KeysNow = {ring: new Keyring([]), wanted: true}
  const desk: WorkerDesk = {
    send(id, to) {
      const opening = fleet.opening(to.node)
      if (opening !== undefined) void opening.then(() => hub.send(id, to))
      else hub.send(id, to)
    },
    queued: (id, place) => hub.queued(id, place),
    refuse: (id, why) => hub.refuse(id, why),
    nodes(copies, named) {
      aliases = new Aliases(named)
      fleet.set(copies)
    },
    read: (copy) => fleet.read(copy),
    keys(list, wanted) {
      keys = {ring: new Keyring(list), wanted}
    },
    requests: () => source.requests(),
    cancelRequest: (requestId) => source.cancel(requestId),
    heard() {},
    drain: drained.resolve,
  }
  const link = new Link<PrimaryDesk>(
    (batch, done) => process.send?.(batch, undefined, {}, done),
    desk,
  )
  const fleet = new FleetCopy({
    endpointOf: (node) => ownEndpoint(tools, node),
    look: (node) => link.tell('look', node),
    fresh: (nodes, withinMs) => link.ask('fresh', nodes, withinMs),
    current: (withinMs) => link.ask('current', withinMs),
  })
  const ended = (exchange: Exchange) => {
    const record = recordOf(exchange)
    const inference = exchange.route.kind === 'inference'
    if (inference) source.ended(exchange)
    link.tell('ended', record, inference, exchange.id)
    exchange.trace?.end(record)
  }
  const hub = hubOver(() => fleet, {
    failed: (node, kind) => link.tell('failed', node, kind),
    ended,
  })
  const source = new HubSource(hub)
  hub.use(remoteDispatcher(link, (node) => fleet.opening(node)))
  process.on('message', (batch) => link.receive(batch))
  let tracing: Tracing | undefined
  let gateway: Gateway | undefined
  let registry: Upstream | undefined
  try {
    const settings = await link.ask('hello')
    tracing = await openTracing({
      env,
      version: settings.version,
      onTrouble: (words) => link.tell('warn', words),
    })
    await fleet.opened()
    registry = settings.registry && openUpstream({kind: 'url', ...settings.registry})
    gateway = await openDoor(doorSettings(settings), {
      ...{fleet, hub, registry, tracing, ended},
      ticketSecret: settings.ticketSecret,
      keys: () => keys,
      aliases: () => aliases,
      ...remoteParts(link),
    })
    const tellUsage = () => {
      const {user, system} = process.cpuUsage()
      link.tell('usage', (user + system) / 1e6, process.memoryUsage.rss())
    }
    tellUsage()
    setInterval(tellUsage, USAGE_MS)
    setInterval(() => {
      const counts = [...source.tokens()]
      if (counts.length > 0) link.tell('tokens', counts)
    }, TOKENS_MS)
    link.tell('listening', gateway.url)
    await gateway.drain(await drained.promise)
  } catch (error) {
    link.tell('unable', told(error))
  }
  await gateway?.close()
  await registry?.close()
  hub.close()
  // What is broken off has to be told, and a connection tells its end in the turn after.
  await setImmediate()
  await setImmediate()
  stop.abort()
  await fleet.close()
  await tools.close()
  await tracing?.close()
  await link.flush()
  // At the end of its line node:cluster ends a worker.
  process.disconnect()
}

function doorSettings({listen, tls, origins, allowCloud}: WorkerSettings): DoorSettings {
  const common = {listen, origins, allowCloud}
  if (!tls) return common
  const {cert, key} = tls
  return {...common, tls: {cert: Buffer.from(cert, 'latin1'), key: Buffer.from(key, 'latin1')}}
}
