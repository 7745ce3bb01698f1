import {candidatesFor, type Excluded, type NodeView} from '../balancer/candidates.ts'
import {policyNamed, type Ranked, rank} from '../balancer/policies.ts'
import {learnFailure, type Rate, type Rates} from '../balancer/rates.ts'
import {sameModel} from '../cluster/model-name.ts'
import type {Cluster, NodeSpec} from '../cluster/node.ts'
import type {Reading} from '../cluster/reading.ts'
import {type NodeUse, takeLease} from '../state/leases.ts'
import {changeRate, readRates} from '../state/rates-file.ts'
import {keepReadings} from '../state/readings.ts'
import {
  attempt,
  type Dispatched,
  type DispatchTools,
  type Failed,
  leaseDir,
  type Order,
  ratesPath,
} from './ask-node.ts'
import {explainFailure} from './explain-failure.ts'
import {type Survey, surveyNodes} from './survey-nodes.ts'

/** For one node's reading, SSH handshake included; it only counts while no other node can be used. */
const READING_MS = 10_000
/** A node that was silent is not waited for during this time. */
const SUSPECT_MS = 15_000
/** A node that has not answered after this while was silent; over SSH it may have had to log in first. */
const SILENT_MS = {ssh: 1500, direct: 80, embedded: 80}
/** Under this "model" the cache keeps that a node was silent. */
const ANY_MODEL = '*'

/** `dispatch` for several nodes: reads them all, ranks them, and asks one after the other. */
export async function dispatchAmong<T>(
  tools: DispatchTools,
  order: Order<T>,
  {cluster, nodes}: {readonly cluster: Cluster; readonly nodes: readonly NodeSpec[]},
): Promise<Dispatched<T>> {
  const startedMs = performance.now()
  const rates = readRates<Rate>(ratesPath(tools, cluster))
  const choose = chooser(tools, order, {cluster, nodes, rates})
  order.note?.({kind: 'reading', nodes: nodes.map((node) => node.name)})
  const survey = surveyNodes(tools, nodes, {
    signal: order.signal,
    timeoutMs: cluster.defaults?.readTimeoutMs ?? READING_MS,
    suspects: new Set(nodes.filter(isSuspect(rates)).map((node) => node.name)),
  })
  const failed: Failed[] = []
  const asked = (name: string) => failed.some((one) => one.node === name)
  try {
    for (;;) {
      await survey.enough((reading) => !asked(reading.node) && has(reading, order.request.model))
      const {picked, excluded} = choose(survey.readings, asked)
      if (!picked)
        throw await explainFailure(tools, {order, cluster, nodes, failed, excluded, survey})
      try {
        const {node} = picked
        order.note?.({kind: 'asking', node: node.name, ranked: picked.ranked})
        const tried = await attempt(tools, order, {cluster, node})
        if ('value' in tried) {
          const attempts = [...failed.map(attemptOf), ...tried.attempts]
          return {...tried, attempts}
        }
        failed.push(tried)
        if (tried.verdict === 'caller')
          throw await explainFailure(tools, {order, cluster, nodes, failed, excluded, survey})
      } finally {
        picked.lease.release()
      }
    }
  } finally {
    const tookMs = performance.now() - startedMs
    const late = nodes.filter((node) => tookMs > SILENT_MS[node.kind])
    remember(tools, {cluster, nodes: late, rates, survey})
    survey.close()
    // So that `node list` knows what was seen on the way.
    keepReadings(tools.paths, cluster.name, [...survey.readings.values()])
  }
}

const attemptOf = ({node, error, ms}: Failed) => ({
  node,
  ok: false,
  ms,
  code: error.code,
  message: error.message,
})

const has = (reading: Reading, model: string) =>
  reading.kind === 'up' && reading.models.some((tag) => sameModel(tag.name, model))

/** Takes a lease on the best node among those that have not been asked yet. */
function chooser<T>(
  tools: DispatchTools,
  order: Order<T>,
  at: {readonly cluster: Cluster; readonly nodes: readonly NodeSpec[]; readonly rates: Rates},
) {
  const policy = policyNamed(order.policy ?? at.cluster.policy)
  const names = at.nodes.map((node) => node.name)
  return (readings: ReadonlyMap<string, Reading>, asked: (name: string) => boolean) => {
    let ranked: readonly Ranked[] = []
    let excluded: readonly Excluded[] = []
    const lease = takeLease(leaseDir(tools, at.cluster), names, (use) => {
      const views = at.nodes
        .filter((node) => !asked(node.name))
        .map((node) => viewOf(node, readings.get(node.name), use.get(node.name)))
      const parted = candidatesFor(order.request, views, at.rates)
      excluded = parted.excluded
      const options = {nowMs: Date.now(), random: Math.random}
      ranked = rank(order.request, parted.candidates, policy, options)
      return ranked[0]?.candidate.node
    })
    order.note?.({kind: 'ranked', policy, ranked, excluded})
    const [best] = ranked
    const node = at.nodes.find(({name}) => name === lease?.node)
    return {excluded, picked: lease && best && node ? {lease, node, ranked: best} : undefined}
  }
}

function viewOf(node: NodeSpec, reading: Reading | undefined, use: NodeUse | undefined): NodeView {
  const {inFlight, lastUsedMs} = use ?? {inFlight: 0, lastUsedMs: 0}
  // --node may name a drained node; without it, drained ones do not come this far.
  return {name: node.name, drained: false, reading, inFlight, lastUsedMs}
}

function isSuspect(rates: Rates) {
  return ({name}: NodeSpec) => {
    const failedAtMs = rates[name]?.[ANY_MODEL]?.failedAtMs
    return failedAtMs !== undefined && Math.abs(Date.now() - failedAtMs) < SUSPECT_MS
  }
}

/** Keeps which nodes were silent, so that the next runs need not find out again. */
function remember(
  tools: DispatchTools,
  at: {
    readonly cluster: Cluster
    readonly nodes: readonly NodeSpec[]
    readonly rates: Rates
    readonly survey: Survey
  },
): void {
  for (const node of at.nodes) {
    if (at.survey.readings.has(node.name) || isSuspect(at.rates)(node)) continue
    changeRate<Rate>(ratesPath(tools, at.cluster), {node: node.name, model: ANY_MODEL}, (before) =>
      learnFailure(before, Date.now()),
    )
  }
}
