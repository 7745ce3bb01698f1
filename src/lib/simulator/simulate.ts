// Drives the real dispatcher over simulated nodes: the door between the two, and what it measures.
import type {
  BalancedNode,
  DispatchRequest,
  Patience,
  SendOrder,
} from '../balancer/dispatch-request.ts'
import {Dispatcher} from '../balancer/dispatcher.ts'
import type {PolicyName} from '../balancer/policies.ts'
import type {Rates} from '../balancer/rates.ts'
import type {Failure} from '../balancer/verdict.ts'
import {Chance, Clock} from './clock.ts'
import {type NodeKind, OllamaNode, type SimModel} from './ollama-node.ts'
import type {Task} from './runner.ts'

/** A request that will come. */
export interface Arrival {
  readonly atMs: number
  readonly model: string
  readonly promptTokens: number
  readonly answerTokens: number
  readonly prefix?: readonly number[]
  readonly session?: string
  /** It comes only so long after the end of that one (its place in the list). */
  readonly after?: {readonly index: number; readonly pauseMs: number}
  /** How it differs for the dispatcher from any other such request, also in what is estimated of it. */
  readonly asks?: Partial<DispatchRequest>
}

export interface Fleet {
  readonly about: string
  readonly nodes: readonly NodeKind[]
  readonly models: readonly SimModel[]
  /** Models in memory at the start, by node. */
  readonly preloaded: (node: number) => readonly string[]
  readonly arrivals: readonly Arrival[]
  /** True: the dispatcher is not told how many slots the nodes have. */
  readonly slotsUnknown?: boolean
  /** The nodes as the cluster file has them, in the same order; absent: `n0`, `n1`... */
  readonly specs?: readonly BalancedNode[]
  /** What the dispatcher has learned before; absent: nothing. */
  readonly rates?: Rates
  /** Of one hash of a prefix. Default 64. */
  readonly blockTokens?: number
  /** What has not ended by then has failed. Default: never. */
  readonly endMs?: number
}

/** One that was answered. Times from its coming. */
export interface Answered {
  /** Its place in the list of arrivals. */
  readonly index: number
  readonly node: string
  readonly firstMs: number
  readonly totalMs: number
}

/** What came of one run. */
export interface Run {
  /** Milliseconds from coming to the end, of those that were answered. */
  readonly times: readonly number[]
  readonly answered: readonly Answered[]
  readonly failed: number
  readonly makespanMs: number
  readonly loads: number
  /** What was sent where, in order. */
  readonly sent: ReadonlyArray<{readonly node: string; readonly atMs: number}>
}

export const BLOCK_TOKENS = 64
const POLL_MS = 2000

export function simulate(fleet: Fleet, policy: PolicyName, seed: number): Run {
  const clock = new Clock()
  const chance = new Chance(seed)
  const {blockTokens = BLOCK_TOKENS} = fleet
  const specs = fleet.specs ?? fleet.nodes.map((kind, at) => specOf(fleet, kind, at))
  const nodes = new Map(
    fleet.nodes.map((kind, at) => {
      const {name = ''} = specs[at] ?? {}
      const models = fleet.models.filter((model) => kind.speeds?.has(model.name) ?? true)
      const node = new OllamaNode(name, kind, {models, clock, chance})
      for (const model of fleet.preloaded(at)) node.preload(model)
      return [node.name, node]
    }),
  )
  const answered: Answered[] = []
  const sent: Array<{node: string; atMs: number}> = []
  const came = new Map<number, number>()
  const live = new Map<number, () => void>()
  const followers = new Map<number, number[]>()
  let failed = 0
  let left = fleet.arrivals.length
  let lastMs = 0

  const over = (id: number) => {
    left--
    lastMs = clock.nowMs
    for (const next of followers.get(id) ?? []) {
      const arrival = fleet.arrivals[next]
      if (arrival) clock.at(clock.nowMs + (arrival.after?.pauseMs ?? 0), () => submit(next))
    }
  }
  const dispatcher = new Dispatcher({
    random: chance.next,
    policy,
    ...(fleet.rates ? {rates: fleet.rates} : {}),
    // Nobody is refused, so that all policies have the same work to do.
    limits: {queueLength: 1e6, queueMaxMs: 1e12},
    sink: {
      queued() {},
      refuse(id) {
        failed++
        over(id)
      },
      send(id, order) {
        const node = nodes.get(order.node)
        const arrival = fleet.arrivals[id]
        if (!node || !arrival) throw new Error(`sent to nowhere: ${order.node}`)
        sent.push({node: order.node, atMs: clock.nowMs})
        clock.at(clock.nowMs, () => give(id, arrival, node, order))
      },
    },
  })

  function give(id: number, arrival: Arrival, node: OllamaNode, order: SendOrder): void {
    const {firstByteMs, gapMs}: Patience = order.patience
    const halfMs = node.kind.latencyMs / 2
    const attempt = () => live.delete(id)
    const fail = (failure: Failure, begun: boolean) => {
      attempt()
      dispatcher.settle(id, {kind: 'failed', failure, begun}, clock.nowMs)
      wake()
    }
    let begun = false
    let firstMs = 0
    const sinceCame = () => clock.nowMs - (came.get(id) ?? 0)
    const task: Task = {
      ...{model: arrival.model, promptTokens: arrival.promptTokens},
      ...{answerTokens: arrival.answerTokens, prefix: arrival.prefix ?? []},
      blockTokens,
      ...(order.numCtx === undefined ? {} : {numCtx: order.numCtx}),
      to: {
        began() {
          clock.at(clock.nowMs + halfMs, () => {
            if (live.get(id) !== stop) return
            begun = true
            firstMs = sinceCame()
            dispatcher.began(id, clock.nowMs)
            for (const fault of node.kind.faults ?? []) {
              if (fault.kind !== 'hang' || fault.toMs < clock.nowMs) continue
              clock.at(fault.fromMs + gapMs, () => live.get(id) === stop && silent())
            }
          })
        },
        ended(how) {
          clock.at(clock.nowMs + halfMs, () => {
            if (live.get(id) !== stop) return
            if (how === 'cut') return fail({kind: 'cut'}, begun)
            if (how === 'missing' || how === 'error')
              return fail({kind: 'reply', status: 500, words: 'broken'}, begun)
            attempt()
            answered.push({index: id, node: node.name, firstMs, totalMs: sinceCame()})
            dispatcher.settle(id, {kind: 'ok', stats: how}, clock.nowMs)
            wake()
            over(id)
          })
        },
      },
    }
    const stop = () => node.drop(task)
    const silent = () => {
      stop()
      fail({kind: 'timeout'}, begun)
    }
    live.set(id, stop)
    clock.at(clock.nowMs + halfMs, () => {
      const fault = node.fault()
      if (fault === 'refuse')
        clock.at(clock.nowMs + halfMs, () => fail({kind: 'unreachable'}, false))
      else if (fault === 'error') task.to.ended('error')
      else node.accept(task)
    })
    if (firstByteMs > 0)
      clock.at(clock.nowMs + firstByteMs, () => {
        if (live.get(id) === stop && !begun) silent()
      })
  }

  let ticking = Number.POSITIVE_INFINITY
  function wake(): void {
    const nextMs = dispatcher.nextTickMs(clock.nowMs)
    if (nextMs === undefined || nextMs >= ticking) return
    ticking = nextMs
    clock.at(nextMs, () => {
      ticking = Number.POSITIVE_INFINITY
      dispatcher.tick(clock.nowMs)
      wake()
    })
  }

  function submit(id: number): void {
    const arrival = fleet.arrivals[id]
    if (!arrival) return
    came.set(id, clock.nowMs)
    const request: DispatchRequest = {
      ...{id, model: arrival.model, promptTokens: arrival.promptTokens},
      ...{tenant: '', priority: 'normal', streams: true, canSetNumCtx: true},
      ...{prefix: arrival.prefix ?? [], blockTokens},
      ...(arrival.session === undefined ? {} : {session: arrival.session}),
      ...arrival.asks,
    }
    dispatcher.submit(request, clock.nowMs)
    wake()
  }

  dispatcher.setNodes(specs, 0)
  const poll = (node: OllamaNode) => {
    const reading = node.reading()
    clock.at(clock.nowMs + node.kind.latencyMs, () => {
      dispatcher.observe(reading, clock.nowMs)
      wake()
    })
    clock.at(clock.nowMs + POLL_MS, () => poll(node))
  }
  for (const node of nodes.values()) {
    dispatcher.observe(node.reading(), 0)
    clock.at(chance.next() * POLL_MS, () => poll(node))
  }
  fleet.arrivals.forEach(({atMs, after}, id) => {
    if (after) followers.set(after.index, [...(followers.get(after.index) ?? []), id])
    else clock.at(atMs, () => submit(id))
  })
  const {endMs = Number.POSITIVE_INFINITY} = fleet
  clock.run(() => left === 0 || clock.nowMs > endMs)
  failed += left
  const loads = [...nodes.values()].reduce((sum, node) => sum + node.loads, 0)
  const times = answered.map(({totalMs}) => totalMs)
  const makespanMs = lastMs - (fleet.arrivals[0]?.atMs ?? 0)
  return {times, answered, failed, makespanMs, loads, sent}
}

function specOf({slotsUnknown}: Fleet, {slots}: NodeKind, at: number): BalancedNode {
  return {name: `n${at}`, drained: false, labels: {}, ...(slotsUnknown ? {} : {slots})}
}
