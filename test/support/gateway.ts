import {hostname} from 'node:os'
import {Dispatcher} from '../../src/lib/balancer/dispatcher.ts'
import type {DispatchLimits} from '../../src/lib/balancer/limits.ts'
import {Aliases} from '../../src/lib/cluster/alias.ts'
import type {NodeSpec} from '../../src/lib/cluster/node.ts'
import {PrefixHasher} from '../../src/lib/gateway/body/prefix.ts'
import {steadyMs} from '../../src/lib/gateway/clock.ts'
import {Decisions} from '../../src/lib/gateway/decisions.ts'
import type {Exchange, ExchangeOutcome} from '../../src/lib/gateway/exchange.ts'
import {Fleet} from '../../src/lib/gateway/fleet.ts'
import {DEFAULT_LIMITS, type GatewayLimits, openGateway} from '../../src/lib/gateway/gateway.ts'
import {type Guard, openGuard} from '../../src/lib/gateway/guard.ts'
import type {DispatchDoor, Hub} from '../../src/lib/gateway/hub.ts'
import {hubOver} from '../../src/lib/gateway/hub-over.ts'
import {insightOf} from '../../src/lib/gateway/insight.ts'
import {LiveBoard} from '../../src/lib/gateway/live/board.ts'
import {HubSource} from '../../src/lib/gateway/live/hub-source.ts'
import {BlobPlaces} from '../../src/lib/gateway/manage.ts'
import type {Pace} from '../../src/lib/gateway/pace.ts'
import {balancedNode} from '../../src/lib/server/balanced-node.ts'
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
  readonly live: LiveBoard
  /** Everything that has ended, inference or not. */
  readonly ended: readonly Exchange[]
  /** Attempts that a node failed, as `n1 timeout`. */
  readonly failures: readonly string[]
  /** Of each of those, as it was when it ended: what comes later is in no log. */
  readonly outcomes: readonly (ExchangeOutcome | undefined)[]
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
  /** Of nodes in processes of their own; they come after the others. */
  readonly urls?: readonly string[]
  /** OLLAMA_NUM_PARALLEL of every node, as the cluster file would say it; absent: learned. */
  readonly slots?: number
  readonly dispatch?: Partial<DispatchLimits>
  readonly pace?: Pace
  /** As `gateway.hedge` of the cluster file. */
  readonly hedge?: boolean
  /** Of the cluster file. */
  readonly aliases?: Readonly<Record<string, string>>
  /** What stands between the hub and its dispatcher, as a line between processes does; absent: nothing. */
  readonly door?: (dispatcher: Dispatcher) => DispatchDoor
}

const specOf = (name: string, url: string, slots: number | undefined): NodeSpec => ({
  kind: 'direct',
  name,
  url,
  labels: {},
  drained: false,
  ollama: slots === undefined ? {} : {env: {OLLAMA_NUM_PARALLEL: `${slots}`}},
  headers: {},
})

/** Returns when every node has been looked at once. */
export async function startGateway(
  nodeOptions: readonly FakeOptions[],
  options: TestGatewayOptions = {},
): Promise<TestGateway> {
  const nodes = await Promise.all(nodeOptions.map((one) => startFakeOllama(one)))
  const ended: Exchange[] = []
  const outcomes: (ExchangeOutcome | undefined)[] = []
  const noteEnd = (exchange: Exchange) => {
    ended.push(exchange)
    outcomes.push(exchange.outcome)
  }
  const bugs: unknown[] = []
  const aliases = new Aliases(options.aliases)
  const failures: string[] = []
  const decisions = new Decisions()
  const hub = hubOver(() => fleet, {
    failed: (node, kind) => failures.push(`${node} ${kind}`),
    ended: (exchange) => {
      noteEnd(exchange)
      source.ended(exchange)
      const record = recordOf(exchange)
      decisions.add(record, exchange.asked)
      live.ended(record, exchange.asked?.streams ?? false)
    },
  })
  const source = new HubSource(hub)
  const live = new LiveBoard({
    ...{decisions, front: () => source, fleet: () => fleet},
    dispatcher: () => dispatcher,
  })
  const dispatcher = new Dispatcher({
    sink: hub,
    random: Math.random,
    ...(options.dispatch ? {limits: options.dispatch} : {}),
  })
  dispatcher.setHedging(options.hedge ?? false)
  hub.use(options.door?.(dispatcher) ?? dispatcher)
  const fleet: Fleet = new Fleet({
    endpointOf: async (node) => ({
      kind: 'url',
      url: node.kind === 'direct' ? node.url : '',
      headers: {},
    }),
    onReading: (reading) =>
      hub.tell((_door, nowMs) => dispatcher.observe({...reading, atMs: nowMs}, nowMs)),
    inFlight: (node) => dispatcher.inFlight(node),
    ...(options.pace ? {pace: options.pace} : {}),
  })
  const urls = [...nodes.map(({url}) => url), ...(options.urls ?? [])]
  const specs = urls.map((url, at) => specOf(`n${at + 1}`, url, options.slots))
  fleet.setNodes(specs)
  dispatcher.setNodes(specs.map(balancedNode), steadyMs())
  await fleet.looked(AbortSignal.timeout(5000))
  const gateway = await openGateway({
    host: '127.0.0.1',
    port: 0,
    guard: options.guard ?? openGuard,
    fleet,
    hub,
    live,
    insight: insightOf(() => dispatcher, decisions),
    aliases: () => aliases,
    blobs: new BlobPlaces(),
    hasher: new PrefixHasher(),
    limits: {...DEFAULT_LIMITS, ...options.limits},
    origin: {origins: options.origins ?? [], loopback: true, hostname: hostname()},
    allowCloud: options.allowCloud ?? false,
    metrics: async () => ({type: 'text/plain', text: ''}),
    ended: noteEnd,
    bug: (error) => bugs.push(error),
  })
  return {
    url: gateway.url,
    port: gateway.port,
    nodes,
    fleet,
    hub,
    live,
    ended,
    failures,
    outcomes,
    bugs,
    drain: (deadlineMs) => gateway.drain(deadlineMs),
    async close() {
      live.close()
      hub.close()
      await gateway.close()
      await fleet.close()
      await Promise.all(nodes.map((node) => node.close()))
    },
  }
}
