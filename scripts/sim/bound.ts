// What nobody could beat, not even with knowledge of everything that is to come.
import {BLOCK_TOKENS, type Fleet} from '../../src/lib/simulator/simulate.ts'

/**
 * Each request alone on the fastest node, warm, with as much of its prompt cached as anybody has sent before: no
 * request can be faster. And all nodes together, as one that can always divide any work at no cost: of what comes in a
 * window of time all but the allowed misses must be done within the window and the quantile. The bound is the larger
 * of the two. It is loose where loads are needed, where answers at once slow each other down, and where nodes that
 * are slow take part, because it lets a slow node help a fast one with the same answer.
 */
export function boundOf(fleet: Fleet) {
  const [promptTps, answerTps] = (['promptTps', 'answerTps'] as const).map((field) =>
    Math.max(...fleet.nodes.map((node) => node[field])),
  ) as [number, number]
  const latencyMs = Math.min(...fleet.nodes.map((node) => node.latencyMs))
  const size = new Map(fleet.models.map((model) => [model.name, model.sizeBytes / 5e9]))
  const seen = new Map<string, Set<number>>()
  const works = fleet.arrivals.map(({model, promptTokens, answerTokens, prefix = []}) => {
    const known = seen.get(model) ?? new Set()
    seen.set(model, known)
    const cached = prefix.filter((hash) => known.has(hash)).length * BLOCK_TOKENS
    for (const hash of prefix) known.add(hash)
    const fresh = Math.max(1, promptTokens - cached)
    return (fresh / promptTps + answerTokens / answerTps) * 1000 * (size.get(model) ?? 1)
  })
  const capacity = fleet.nodes.reduce((sum, node) => {
    const speed = Math.max(node.promptTps / promptTps, node.answerTps / answerTps)
    return sum + (speed * node.slots) / (1 + node.crowding * (node.slots - 1))
  }, 0)
  const alone = works.map((work) => work + latencyMs).sort((a, b) => a - b)
  // Whoever waits for the end of another comes later than any plan made in advance could know.
  const free = fleet.arrivals.every(({after}) => after === undefined)
  const coming = fleet.arrivals.map(({atMs}, at) => ({atMs, work: works[at] ?? 0}))
  coming.sort((a, b) => a.atMs - b.atMs)
  const quantile = (share: number) => {
    const rank = Math.min(alone.length - 1, Math.ceil(share * alone.length) - 1)
    const own = alone[rank] ?? 0
    return free ? Math.max(own, pooled(coming, capacity, alone.length - rank - 1)) : own
  }
  const firstMs = coming[0]?.atMs ?? 0
  const longest = coming.map(({atMs, work}) => atMs - firstMs + work)
  return {
    mean: Math.max(mean(alone), free ? shortestFirst(coming, capacity) : 0),
    ...{p50: quantile(0.5), p95: quantile(0.95), p99: quantile(0.99)},
    makespan: free ? Math.max(...longest) : 0,
  }
}

interface Coming {
  readonly atMs: number
  readonly work: number
}

/** The least time within which all but `misses` can be done, given what all nodes together can do. */
function pooled(coming: readonly Coming[], capacity: number, misses: number): number {
  let most = 0
  const step = Math.max(1, Math.floor(coming.length / 100))
  for (let from = 0; from < coming.length; from += step) {
    const startMs = coming[from]?.atMs ?? 0
    const inside: number[] = []
    let all = 0
    for (let to = from; to < coming.length; to++) {
      const one = coming[to]
      if (!one) break
      inside.push(one.work)
      all += one.work
      const windowMs = one.atMs - startMs
      // Not even with all of them it would be more.
      if ((to - from) % step !== step - 1 || all / capacity - windowMs <= most) continue
      const sorted = inside.toSorted((a, b) => a - b)
      const needed = sorted.slice(0, Math.max(0, sorted.length - misses))
      const work = needed.reduce((sum, ms) => sum + ms, 0)
      most = Math.max(most, work / capacity - windowMs)
    }
  }
  return most
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
