import {existsSync} from 'node:fs'
import {setTimeout as sleep} from 'node:timers/promises'
import type {LiveFrame, LiveSource} from '../../cluster/live.ts'
import type {LiveHooks} from '../../cluster/live-actions.ts'
import {liveNodeOf} from '../../cluster/live-node.ts'
import type {Cluster, GatewaySpec} from '../../cluster/node.ts'
import {messageOf} from '../../errors.ts'
import {clusterFile} from '../../state/load.ts'
import {watchFiles} from '../../state/watch-file.ts'
import type {Tools} from '../tools.ts'
import {isRefused, watchGateway, whyNot} from './from-gateway.ts'
import {NodesSource} from './from-nodes.ts'
import {Stage} from './stage.ts'
import {MachineWatch} from './watch-machines.ts'

export type WatchTools = Pick<
  Tools,
  'cluster' | 'clusterName' | 'dial' | 'endpoint' | 'paths' | 'signal'
>

export interface WatchFleetOptions extends LiveHooks {
  /** False: no machine is asked how it is. Default true. */
  readonly machines?: boolean
  /** Instead of 10 s: how long a gateway that has gone is waited for before the nodes are read without it. */
  readonly lostMs?: number
}

/** A gateway that has not answered by then is not waited for with the first look at the nodes. */
const PATIENCE_MS = 700
const LOST_MS = 10_000
const AGAIN_MS = {first: 250, most: 2000}
/** One that does not want to be watched is asked again so often. */
const REFUSED_MS = 10_000

/**
 * Watches the fleet of the chosen cluster until the signal aborts, and resolves then: through the gateway that the
 * cluster file names, as long as one answers there, else by reading the nodes. Rejects only for a cluster file that
 * cannot be read at the start. Where a screen is drawn the tools must not ask anybody anything.
 */
export async function watchFleet(tools: WatchTools, options: WatchFleetOptions): Promise<void> {
  const signal = AbortSignal.any([tools.signal, options.signal])
  if (signal.aborted) return
  const cluster = await tools.cluster()
  const watch = new Watch(tools, cluster, {...options, signal})
  try {
    await watch.run()
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    await watch.close()
  }
}

class Watch {
  readonly #tools: WatchTools
  readonly #options: WatchFleetOptions
  readonly #signal: AbortSignal
  readonly #stage: Stage
  readonly #machines: MachineWatch | undefined
  readonly #files: {close(): void}
  readonly #file: string
  #cluster: Cluster
  #nodes: NodesSource | undefined
  /** Aborts when the cluster file names another gateway. */
  #session = new AbortController()
  /** Of the gateway, that something was seen of it last. */
  #seenMs: number | undefined

  constructor(tools: WatchTools, cluster: Cluster, options: WatchFleetOptions) {
    this.#tools = tools
    this.#options = options
    this.#signal = options.signal
    this.#cluster = cluster
    this.#stage = new Stage((frame) => !this.#signal.aborted && options.onFrame(frame))
    if (options.machines !== false)
      this.#machines = new MachineWatch(tools, {
        signal: this.#signal,
        onReading: (node, reading) => this.#stage.machine(node, reading),
      })
    this.#machines?.set(cluster)
    this.#file = clusterFile(tools.paths, tools.clusterName())
    const there = existsSync(this.#file)
    this.#files = watchFiles([this.#file], () => void this.#readAnew(there))
  }

  async run(): Promise<void> {
    if (this.#cluster.gateway) this.#stage.frame(unread(this.#cluster))
    for (let failures = 0; !this.#signal.aborted; ) {
      const {gateway} = this.#cluster
      this.#session = new AbortController()
      const either = AbortSignal.any([this.#signal, this.#session.signal])
      if (!gateway) {
        this.#seenMs = undefined
        this.#readNodes('the cluster file names no gateway')
        await quietly(new Promise((_, reject) => onAbort(either, () => reject(either.reason))))
        continue
      }
      const {ended, began} = await this.#through(gateway, either)
      if (either.aborted) continue
      failures = began ? 0 : failures + 1
      const againMs = isRefused(ended.error) ? REFUSED_MS : backoffMs(failures)
      this.#lost(gateway, ended.reason)
      await quietly(sleep(againMs, undefined, {signal: either}))
    }
  }

  async close(): Promise<void> {
    this.#files.close()
    this.#session.abort()
    this.#stage.close()
    await Promise.all([this.#machines?.close(), this.#nodes?.close()])
  }

  /** Watches the gateway as long as that goes. */
  async #through(gateway: GatewaySpec, signal: AbortSignal) {
    const source = {kind: 'gateway', url: gateway.url} as const
    // Whoever looks at nodes or at something old is not told of each try.
    if (this.#seenMs === undefined && !this.#nodes) this.#link({state: 'connecting', source})
    const late = setTimeout(() => {
      if (this.#seenMs === undefined) this.#readNodes(`${gateway.url} has not answered yet`)
    }, PATIENCE_MS)
    let began = false
    const onFrame = (frame: LiveFrame) => {
      clearTimeout(late)
      if (!began) {
        began = true
        this.#leaveNodes()
        this.#link({state: 'live', source})
      }
      this.#seenMs = performance.now()
      this.#stage.frame(frame)
    }
    try {
      await watchGateway(this.#tools, gateway, {onFrame, signal})
      return {began, ended: {error: undefined, reason: `the gateway at ${gateway.url} has ended`}}
    } catch (error) {
      return {began, ended: {error, reason: whyNot(error, gateway)}}
    } finally {
      clearTimeout(late)
    }
  }

  #lost(gateway: GatewaySpec, reason: string): void {
    if (this.#nodes) return
    const {lostMs = LOST_MS} = this.#options
    const sinceMs = performance.now() - (this.#seenMs ?? Number.NEGATIVE_INFINITY)
    if (sinceMs > lostMs) this.#readNodes(reason)
    else this.#link({state: 'lost', source: {kind: 'gateway', url: gateway.url}, reason})
  }

  #readNodes(why: string): void {
    if (this.#nodes || this.#signal.aborted) return
    const source: LiveSource = {kind: 'nodes', why}
    this.#link({state: 'live', source})
    this.#nodes = new NodesSource(this.#tools, this.#cluster, (frame) => this.#stage.frame(frame))
  }

  #leaveNodes(): void {
    void this.#nodes?.close()
    this.#nodes = undefined
  }

  async #readAnew(wasThere: boolean): Promise<void> {
    try {
      // Gone is not empty: a fleet does not vanish because a file was moved.
      if (wasThere && !existsSync(this.#file)) throw new Error(`${this.#file} is gone`)
      const cluster = await this.#tools.cluster()
      const before = JSON.stringify(this.#cluster.gateway)
      this.#cluster = cluster
      this.#nodes?.set(cluster)
      this.#machines?.set(cluster)
      if (JSON.stringify(cluster.gateway) === before) return
      this.#leaveNodes()
      this.#seenMs = undefined
      this.#session.abort()
    } catch (error) {
      if (this.#signal.aborted) return
      const text = `the changed cluster file is not used, what was read before holds: ${messageOf(error)}`
      this.#stage.event({at: new Date().toISOString(), event: 'trouble', text})
    }
  }

  #link(link: Parameters<LiveHooks['onLink']>[0]): void {
    if (!this.#signal.aborted) this.#options.onLink(link)
  }
}

/** What there is to be seen before anybody has looked. */
function unread({nodes}: Cluster): LiveFrame {
  const atMs = Date.now()
  return {
    ...{atMs, whole: true, order: nodes.map(({name}) => name)},
    nodes: nodes.map((spec) => liveNodeOf(spec, undefined, {inFlight: 0})),
    ...{requests: [], events: [], totals: {atMs, inFlight: 0}},
  }
}

const backoffMs = (failures: number) =>
  Math.min(AGAIN_MS.most, AGAIN_MS.first * 2 ** Math.max(0, failures - 1))

function onAbort(signal: AbortSignal, act: () => void): void {
  if (signal.aborted) act()
  else signal.addEventListener('abort', act, {once: true})
}

const quietly = (work: Promise<unknown>) => work.catch(() => {})
