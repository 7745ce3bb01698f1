import {type PolicyName, policyNamed} from '../balancer/policies.ts'
import {modelKey, shortModelName} from '../cluster/model-name.ts'
import type {RecordedAsk, RecordedNode, RecordedRequest, Recording} from '../cluster/recording.ts'
import {loadedAtFirst, rebuildFleet, type Unknown} from './rebuild-fleet.ts'
import {type Arrival, type Fleet, simulate} from './simulate.ts'
import {spreadOf} from './summary.ts'

/** Mean and quantiles, ms. null: nothing was answered, or so much failed that it has no end. */
export interface Spread {
  readonly mean: number | null
  readonly p50: number | null
  readonly p95: number | null
  readonly p99: number | null
}

/** How it went with one policy. */
export interface Figures {
  /** From a request's coming to the first byte of its answer. */
  readonly first: Spread
  readonly total: Spread
  /** From the coming of the first request to the end of the last one, ms. */
  readonly makespanMs: number
  /** Of the answered requests, by node, 0 to 1; the nodes in the cluster file's order. */
  readonly shares: ReadonlyArray<{readonly node: string; readonly share: number}>
}

export interface ReplayedPolicy extends Figures {
  readonly policy: string
  /** Requests that nobody answered. */
  readonly failed: number
  /** Models that had to be loaded. */
  readonly loads: number
}

/** Why requests are not replayed: nobody knows how long they would take, or who could take them. */
export interface LeftOut {
  readonly why: 'not answered' | 'tokens not told' | 'speed not known' | 'node not there'
  readonly count: number
}

export interface Replay {
  /** Requests that were replayed. */
  readonly requests: number
  readonly leftOut: readonly LeftOut[]
  /** Speeds of the replayed models that nobody has measured there. */
  readonly unknown: readonly Unknown[]
  /** What really came of the same requests, under the policies that were in force then. */
  readonly measured: Figures
  /** The one in force when the recording was taken. */
  readonly policy: string
  readonly replayed: readonly ReplayedPolicy[]
}

/** What no replay can know, so that nobody takes its figures for more than they are. */
export const CANNOT_KNOW: readonly string[] = [
  'speeds, slots and memory: those that were learned until the recording was taken, and the same all the time',
  'nodes that failed, came or went meanwhile: all of them are up all the time',
  'what others asked of the nodes directly',
  'when somebody who is answered sooner asks again: every request comes when it came',
  'who would have left or been refused: all of them wait for their answer',
]

/** Whoever is not answered so long after the last one came never is, ms. */
const GRACE_MS = 24 * 3_600_000
const SEED = 1

/**
 * Runs the recorded requests once more under each policy: the gateway's own dispatcher, simulated nodes that are as fast
 * as the real ones had shown themselves. The same recording gives the same figures. BAD_INPUT for an unknown policy.
 */
export function replay(recording: Recording, policies: readonly string[]): Replay {
  const names = policies.map(policyNamed)
  const nodes = rebuildFleet(recording.nodes)
  const all = inOrder(recording.requests)
  const {kept, leftOut} = sift(recording.nodes, all)
  const startMs = Date.parse(kept[0]?.at ?? recording.at)
  const arrivals = kept.map((one) => arrivalOf(one, startMs))
  const sizes = new Map<string, number>()
  for (const {model, sizeBytes} of recording.nodes.flatMap(({replicas}) => replicas))
    sizes.set(model, Math.max(sizeBytes, sizes.get(model) ?? 0))
  const fleet: Fleet = {
    about: 'recorded',
    nodes: nodes.map(({kind}) => kind),
    specs: nodes.map(({spec}) => spec),
    models: [...sizes].map(([name, sizeBytes]) => ({name, sizeBytes})),
    preloaded: (at) => {
      const node = recording.nodes[at]
      return node ? loadedAtFirst(node, all) : []
    },
    arrivals,
    rates: Object.fromEntries(nodes.map(({spec, rates}) => [spec.name, rates])),
    ...(kept[0] ? {blockTokens: kept[0].asked.blockTokens} : {}),
    endMs: (arrivals.at(-1)?.atMs ?? 0) + GRACE_MS,
  }
  const models = new Set(kept.map(({model}) => model))
  const order = recording.nodes.map(({node}) => node)
  return {
    requests: kept.length,
    leftOut,
    unknown: nodes.flatMap(({unknown}) => unknown.filter(({model}) => models.has(model))),
    measured: measured(kept, order),
    policy: recording.policy,
    replayed: kept.length === 0 ? [] : names.map((name) => replayedWith(name, fleet, kept, order)),
  }
}

function replayedWith(
  policy: PolicyName,
  fleet: Fleet,
  kept: readonly RecordedRequest[],
  order: readonly string[],
): ReplayedPolicy {
  const {answered, failed, loads, makespanMs} = simulate(fleet, policy, SEED)
  const firsts = answered.map(({index, firstMs, totalMs}) =>
    // An answer that comes whole has its first byte at its end.
    kept[index]?.asked.streams ? firstMs : totalMs,
  )
  const totals = answered.map(({totalMs}) => totalMs)
  return {
    ...{policy, failed, loads, makespanMs: Math.round(makespanMs)},
    first: spread(firsts, failed),
    total: spread(totals, failed),
    shares: sharesOf(
      answered.map(({node}) => node),
      order,
    ),
  }
}

function measured(kept: readonly RecordedRequest[], order: readonly string[]): Figures {
  const came = kept.map(({at}) => Date.parse(at))
  const ends = kept.map(({at, totalMs}) => Date.parse(at) + totalMs)
  const latest = ends.reduce((most, ms) => Math.max(most, ms), 0)
  return {
    first: spread(
      kept.flatMap(({firstByteMs}) => firstByteMs ?? []),
      0,
    ),
    total: spread(
      kept.map(({totalMs}) => totalMs),
      0,
    ),
    makespanMs: Math.round(Math.max(0, latest - (came[0] ?? latest))),
    shares: sharesOf(
      kept.flatMap(({node}) => node ?? []),
      order,
    ),
  }
}

/** As they came, each model under one name. */
function inOrder(requests: readonly RecordedRequest[]): RecordedRequest[] {
  const named = requests.map((one) => ({...one, model: shortModelName(modelKey(one.model))}))
  return named.sort((a, b) => Date.parse(a.at) - Date.parse(b.at))
}

/** Parts the requests into those that can be replayed and those that cannot. */
function sift(nodes: readonly RecordedNode[], requests: readonly RecordedRequest[]) {
  const speeds = new Set(
    nodes.flatMap(({replicas}) =>
      replicas.flatMap(({model, promptTps, answerTps}) =>
        promptTps === undefined && answerTps === undefined ? [] : [model],
      ),
    ),
  )
  const names = new Set(nodes.map(({node}) => node))
  const counts = new Map<LeftOut['why'], number>()
  const why = (one: RecordedRequest): LeftOut['why'] | undefined => {
    if (one.outcome !== 'ok') return 'not answered'
    if (one.answerTokens === null && one.asked.needs !== 'embedding') return 'tokens not told'
    if (one.asked.only !== null && !names.has(one.asked.only)) return 'node not there'
    return speeds.has(one.model) ? undefined : 'speed not known'
  }
  const kept = requests.filter((one) => {
    const reason = why(one)
    if (reason !== undefined) counts.set(reason, (counts.get(reason) ?? 0) + 1)
    return reason === undefined
  })
  return {kept, leftOut: [...counts].map(([reason, count]) => ({why: reason, count}))}
}

function arrivalOf(
  {at, model, promptTokens, answerTokens, asked}: RecordedRequest,
  startMs: number,
) {
  const arrival: Arrival = {
    atMs: Date.parse(at) - startMs,
    model,
    promptTokens: promptTokens ?? asked.promptTokens,
    answerTokens: answerTokens ?? 0,
    prefix: asked.prefix,
    ...(asked.session === null ? {} : {session: asked.session}),
    asks: asksOf(asked),
  }
  return arrival
}

function asksOf(asked: RecordedAsk): NonNullable<Arrival['asks']> {
  const {key, priority, weight, promptTokens, streams, canSetNumCtx} = asked
  return {
    ...{tenant: key, priority, weight, promptTokens, streams, canSetNumCtx},
    ...(asked.maxAnswerTokens === null ? {} : {maxAnswerTokens: asked.maxAnswerTokens}),
    ...(asked.numCtx === null ? {} : {numCtx: asked.numCtx}),
    ...(asked.needs === null ? {} : {needs: asked.needs}),
    ...(asked.only === null ? {} : {only: asked.only}),
  }
}

function spread(values: readonly number[], failed: number): Spread {
  const {mean, p50, p95, p99} = spreadOf(values, failed)
  const shown = (ms: number) => (Number.isFinite(ms) ? Math.round(ms * 10) / 10 : null)
  return {
    mean: values.length > 0 ? shown(mean) : null,
    ...{p50: shown(p50), p95: shown(p95), p99: shown(p99)},
  }
}

/** Every node of the fleet, and those that have left it since. */
function sharesOf(nodes: readonly string[], order: readonly string[]): Figures['shares'] {
  const counts = new Map(order.map((node) => [node, 0]))
  for (const node of nodes) counts.set(node, (counts.get(node) ?? 0) + 1)
  return [...counts].map(([node, count]) => ({
    node,
    share: Math.round((count / Math.max(1, nodes.length)) * 1000) / 1000,
  }))
}
