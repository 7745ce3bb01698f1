// What nobody could beat, not even with knowledge of everything that is to come.
import {BLOCK_TOKENS, type Fleet} from '../../src/lib/simulator/simulate.ts'
import {type Coming, leastLate} from './late.ts'

/** Bounds are found to this share of themselves. */
const EXACT = 1e-3

/**
 * Lower bounds, in ms, of what any policy reaches on that fleet: each `pNN`, the mean, and the time until all is done.
 *
 * A quantile of D is possible only if no more than the allowed number of requests take longer. Whatever the policy:
 * 1. a request takes at least as long as alone on the fastest node, warm, with as much of its prompt cached as anybody
 *    has sent before; where its model is in no memory at first, it ends after the load that the first one began;
 * 2. of those that may be done within D, one that would take longer than D on each node below some speed has to be on a
 *    node of at least that speed. All work of this kind is done by those nodes, and they together do no more than one
 *    machine as fast as all of them that may divide any work: more are late on the nodes than on that machine, on which
 *    the least number is known exactly (`leastLate`).
 * If 1 and 2 together make more late than are allowed, for any speed, D is impossible, and so is all below it: with
 * more time fewer are late by 1, and fewer are bound to fast nodes by 2.
 *
 * Loose where requests at once slow each other, where the memory does not hold all models, and where requests wait for
 * the end of others (conversations): when those come depends on the policy, so that only 1 holds.
 */
export function boundOf(fleet: Fleet) {
  const fastest = {
    promptTps: Math.max(...fleet.nodes.map((node) => node.promptTps)),
    answerTps: Math.max(...fleet.nodes.map((node) => node.answerTps)),
  }
  const latencyMs = Math.min(...fleet.nodes.map((node) => node.latencyMs))
  const works = worksOf(fleet, fastest)
  // Whoever waits for the end of another comes later than any plan made in advance could know.
  const free = fleet.arrivals.every(({after}) => after === undefined)
  const all = fleet.arrivals
    .map(({atMs, model}, at) => ({atMs, model, work: works[at] ?? 0}))
    .sort((a, b) => a.atMs - b.atMs)
  const readyMs = free ? firstLoads(fleet) : new Map<string, number>()
  const requests = all.map(({atMs, model, work}) => {
    const aloneMs = Math.max(atMs, readyMs.get(model) ?? 0) - atMs + work + latencyMs
    return {atMs, work, aloneMs}
  })
  const tiers = free ? tiersOf(fleet, fastest) : []
  const possible = (dueMs: number, allowed: number) => {
    const hopeful = requests.filter(({aloneMs}) => aloneMs <= dueMs)
    const rest = allowed - (requests.length - hopeful.length)
    return (
      rest >= 0 &&
      tiers.every(({speed, below}) => {
        const bound = hopeful.filter(({work}) => work > (dueMs - latencyMs) * below)
        return leastLate(bound, speed, dueMs - latencyMs) <= rest
      })
    )
  }
  const alone = requests.map(({aloneMs}) => aloneMs).sort((a, b) => a - b)
  const quantile = (share: number) => {
    const rank = Math.min(alone.length - 1, Math.ceil(share * alone.length) - 1)
    const allowed = alone.length - rank - 1
    let lowMs = alone[rank] ?? 0
    if (possible(lowMs, allowed)) return lowMs
    let highMs = lowMs * 2
    while (!possible(highMs, allowed)) highMs *= 2
    while (highMs - lowMs > lowMs * EXACT) {
      const middleMs = (lowMs + highMs) / 2
      if (possible(middleMs, allowed)) highMs = middleMs
      else lowMs = middleMs
    }
    return lowMs
  }
  const firstMs = requests[0]?.atMs ?? 0
  const longest = requests.map(({atMs, work}) => atMs - firstMs + work)
  const pooled = Math.max(0, ...tiers.map(({speed}) => speed))
  return {
    mean: Math.max(mean(alone), free ? shortestFirst(requests, pooled) : 0),
    ...{p50: quantile(0.5), p95: quantile(0.95), p99: quantile(0.99)},
    makespan: free ? Math.max(...longest) : 0,
  }
}

type Speeds = Pick<Fleet['nodes'][number], 'promptTps' | 'answerTps'>

/** Time of each request alone on the fastest node, without the network. */
function worksOf({models, arrivals}: Fleet, {promptTps, answerTps}: Speeds): number[] {
  const size = new Map(models.map((model) => [model.name, model.sizeBytes / 5e9]))
  const seen = new Map<string, Set<number>>()
  return arrivals.map(({model, promptTokens, answerTokens, prefix = []}) => {
    const known = seen.get(model) ?? new Set()
    seen.set(model, known)
    const cached = prefix.filter((hash) => known.has(hash)).length * BLOCK_TOKENS
    for (const hash of prefix) known.add(hash)
    const fresh = Math.max(1, promptTokens - cached)
    return (fresh / promptTps + answerTokens / answerTps) * 1000 * (size.get(model) ?? 1)
  })
}

/** When each model that is in no memory at first can be in one: nothing is loaded before somebody asks for it. */
function firstLoads({nodes, models, arrivals, preloaded}: Fleet): Map<string, number> {
  const there = new Set(nodes.flatMap((_, at) => preloaded(at)))
  const fastest = Math.max(...nodes.map(({loadBytesPerMs}) => loadBytesPerMs))
  const ready = new Map<string, number>()
  for (const {name, sizeBytes} of models) {
    if (there.has(name)) continue
    const asked = arrivals.filter(({model}) => model === name).map(({atMs}) => atMs)
    if (asked.length > 0) ready.set(name, Math.min(...asked) + sizeBytes / fastest)
  }
  return ready
}

/** For each speed: what all nodes of at least that speed do together, and the speed of the fastest below it. */
function tiersOf({nodes}: Fleet, {promptTps, answerTps}: Speeds) {
  const all = nodes.map((node) => {
    const speed = Math.max(node.promptTps / promptTps, node.answerTps / answerTps)
    const together = node.slots / (1 + node.crowding * (node.slots - 1))
    return {speed, does: speed * Math.max(1, together)}
  })
  return [...new Set(all.map(({speed}) => speed))].map((least) => ({
    speed: all.reduce((sum, {speed, does}) => sum + (speed >= least ? does : 0), 0),
    below: Math.max(0, ...all.filter(({speed}) => speed < least).map(({speed}) => speed)),
  }))
}

/** Mean on one machine that does the work of all, always the one with the least left first: nothing is better. */
function shortestFirst(coming: readonly Coming[], capacity: number): number {
  const left: number[] = []
  let nowMs = 0
  let sum = 0
  let at = 0
  const cames: number[] = []
  while (at < coming.length || left.length > 0) {
    const next = coming[at]
    if (left.length === 0 && next) nowMs = Math.max(nowMs, next.atMs)
    while (at < coming.length && (coming[at]?.atMs ?? 0) <= nowMs) {
      left.push((coming[at]?.work ?? 0) / capacity)
      cames.push(coming[at]?.atMs ?? 0)
      at++
    }
    let least = 0
    for (let one = 1; one < left.length; one++)
      if ((left[one] ?? 0) < (left[least] ?? 0)) least = one
    const untilMs = coming[at]?.atMs ?? Number.POSITIVE_INFINITY
    const needMs = left[least] ?? 0
    if (nowMs + needMs <= untilMs) {
      nowMs += needMs
      sum += nowMs - (cames[least] ?? 0)
      left.splice(least, 1)
      cames.splice(least, 1)
    } else {
      left[least] = needMs - (untilMs - nowMs)
      nowMs = untilMs
    }
  }
  return sum / coming.length
}

const mean = (values: readonly number[]) =>
  values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length)
