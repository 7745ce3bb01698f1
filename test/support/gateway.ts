import {hostname} from 'node:os'
import {Dispatcher} from '../../src/lib/balancer/dispatcher.ts'
import type {NodeSpec} from '../../src/lib/cluster/node.ts'
import {PrefixHasher} from '../../src/lib/gateway/body/prefix.ts'
import {Decisions} from '../../src/lib/gateway/decisions.ts'
import type {Exchange} from '../../src/lib/gateway/exchange.ts'
import {Fleet} from '../../src/lib/gateway/fleet.ts'
import {DEFAULT_LIMITS, type GatewayLimits, openGateway} from '../../src/lib/gateway/gateway.ts'
import {type Guard, openGuard} from '../../src/lib/gateway/guard.ts'
import {Hub} from '../../src/lib/gateway/hub.ts'
import {BlobPlaces} from '../../src/lib/gateway/manage.ts'
import {twinsOf} from '../../src/lib/gateway/places.ts'
import {recordOf} from '../../src/lib/server/record.ts'
import type {FakeOptions} from './fake-ollama/options.ts'
import {type FakeOllama, startFakeOllama} from './fake-ollama.ts'

/** A gateway in this process before stand-in nodes `n1`, `n2`... */
export interface TestGateway {
  readonly url: string
  readonly port: number
  readonly nodes: readonly FakeOllama[]
  readonly fleet: Fleet
  readonly hub: Hub
  /** Everything that has ended, inference or not. */
  readonly ended: readonly Exchange[]
  /** Bugs that the gateway has caught. */
  readonly bugs: readonly unknown[]
  drain(deadlineMs: number): Promise<void>
  close(): Promise<void>
}

export interface TestGatewayOptions {
  readonly limits?: Partial<GatewayLimits>
  readonly guard?: Guard
  readonly allowCloud?: boolean
  readonly origins?: readonly string[]
}

const specOf = (name: string, url: string): NodeSpec => ({
  kind: 'direct',
  name,
  url,
  labels: {},
  drained: false,
  ollama: {},
  headers: {},
})

/** Returns when every node has been looked at once. */
export async function startGateway(
  nodeOptions: readonly FakeOptions[],
  options: TestGatewayOptions = {},
): Promise<TestGateway> {
  const nodes = await Promise.all(nodeOptions.map((one) => startFakeOllama(one)))
  const ended: Exchange[] = []
  const bugs: unknown[] = []
  const decisions = new Decisions()
  const hub = new Hub({
    upstreamOf: (node) => fleet.upstream(node),
    lost: (node) => fleet.look(node),
    sameModel: (model, node) => twinsOf(fleet.nodes(), model, node).map(({spec}) => spec.name),
    failed: () => {},
    ended: (exchange) => {
      ended.push(exchange)
      decisions.add(recordOf(exchange))
    },
  })
  const dispatcher = new Dispatcher({sink: hub, random: Math.random})
  hub.use(dispatcher)
  const fleet: Fleet = new Fleet({
    endpointOf: async (node) => ({
      kind: 'url',
      url: node.kind === 'direct' ? node.url : '',
      headers: {},
    }),
    onReading: (reading) => hub.observe(reading),
  })
  const specs = nodes.map(({url}, at) => specOf(`n${at + 1}`, url))
  fleet.setNodes(specs)
  hub.tell((one, nowMs) => one.setNodes(specs, nowMs))
  await fleet.looked(AbortSignal.timeout(5000))
  const gateway = await openGateway({
    host: '127.0.0.1',
    port: 0,
    guard: options.guard ?? openGuard,
    fleet,
    hub,
    dispatcher,
    decisions,
    blobs: new BlobPlaces(),
    hasher: new PrefixHasher(),
    limits: {...DEFAULT_LIMITS, ...options.limits},
    origin: {origins: options.origins ?? [], loopback: true, hostname: hostname()},
    allowCloud: options.allowCloud ?? false,
    metrics: async () => ({type: 'text/plain', text: ''}),
    ended: (exchange) => ended.push(exchange),
    bug: (error) => bugs.push(error),
  })
  return {
    url: gateway.url,
    port: gateway.port,
    nodes,
    fleet,
    hub,
    ended,
    bugs,
    drain: (deadlineMs) => gateway.drain(deadlineMs),
    async close() {
      hub.close()
      await gateway.close()
      await fleet.close()
      await Promise.all(nodes.map((node) => node.close()))
    },
  }
}
