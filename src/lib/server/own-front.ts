import type {Exchange} from '../gateway/exchange.ts'
import type {Gateway} from '../gateway/gateway.ts'
import {hubOver} from '../gateway/hub-over.ts'
import {HubSource} from '../gateway/live/hub-source.ts'
import {openUpstream, type Upstream} from '../ollama/upstream.ts'
import type {Tracing} from '../trace/tracing.ts'
import type {Core, Front} from './front.ts'
import {openDoor} from './open-door.ts'
import {recordOf} from './record.ts'

/** Answers in this process: every word between the parts is a call. */
export function ownFront(core: Core): Front {
  const {settings, log, metrics, insight, live, limiter, blobs, keys, ticketSecret} = core
  const ended = (exchange: Exchange) => {
    const record = recordOf(exchange)
    const inference = exchange.route.kind === 'inference'
    if (inference) source.ended(exchange)
    core.ended(record, inference, exchange.asked)
    exchange.trace?.end(record)
  }
  const fleet = () => core.running().fleet
  const hub = hubOver(fleet, {
    failed: (node, kind) => metrics.failedAttempt(node, kind),
    ended,
  })
  const source = new HubSource(hub)
  let gateway: Gateway | undefined
  let registry: Upstream | undefined
  let tracing: Tracing | undefined
  return {
    sink: hub,
    use: (dispatcher) => hub.use(dispatcher),
    tell: (event) => hub.tell((_door, nowMs) => event(nowMs)),
    get size() {
      return hub.size
    },
    sample: () => ({workers: [], ended: 0}),
    requests: () => source.requests(),
    tokens: () => source.tokens(),
    cancel: (requestId) => source.cancel(requestId),
    async open() {
      tracing = await core.openTracing()
      const models = core.registry()
      registry = models && openUpstream(models)
      gateway = await openDoor(settings, {
        fleet: fleet(),
        aliases: () => core.running().aliases(),
        ...{hub, insight, live, blobs, registry, keys, limiter, ticketSecret, tracing, ended},
        metrics: async () => ({type: metrics.contentType, text: await metrics.scrape()}),
        bug: (error, {requestId}) => log.error('a bug', {err: error, id: requestId}),
      })
      return gateway.url
    },
    changed() {},
    drain: async (deadlineMs) => gateway?.drain(deadlineMs),
    async close() {
      await gateway?.close()
      await registry?.close()
      hub.close()
      await tracing?.close()
    },
  }
}
