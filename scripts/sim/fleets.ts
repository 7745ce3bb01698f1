// The fleets and the work that policies are compared on. Arrivals are Poisson, lengths log-normal.
import {Chance} from '../../src/lib/simulator/clock.ts'
import type {NodeKind} from '../../src/lib/simulator/ollama-node.ts'
import {type Arrival, BLOCK_TOKENS, type Fleet} from '../../src/lib/simulator/simulate.ts'

const GPU: NodeKind = {
  promptTps: 2000,
  answerTps: 60,
  slots: 1,
  crowding: 0.15,
  memoryBytes: 24e9,
  loadBytesPerMs: 1e6,
  latencyMs: 2,
}
const slower = (factor: number): NodeKind => ({
  ...GPU,
  promptTps: GPU.promptTps / factor,
  answerTps: GPU.answerTps / factor,
})
const ONE = {name: 'llama3.1:8b', sizeBytes: 5e9}
const PROMPT = 300
const ANSWER = 200
const times = (count: number, kind: NodeKind) => Array.from({length: count}, () => kind)

/** Mean time of a request alone on such a node, ms. */
const meanMs = ({promptTps, answerTps}: NodeKind) =>
  (PROMPT / promptTps + ANSWER / answerTps) * 1000

/** Requests per ms that keep the nodes busy for that share of their time. */
function rateFor(nodes: readonly NodeKind[], share: number): number {
  return nodes.reduce((sum, node) => {
    const gain = node.slots / (1 + node.crowding * (node.slots - 1))
    return sum + (gain * share) / meanMs(node)
  }, 0)
}

function poisson(
  count: number,
  perMs: number,
  chance: Chance,
  more: (at: number) => Partial<Arrival> = () => ({}),
): Arrival[] {
  let atMs = 0
  return Array.from({length: count}, (_, at) => {
    atMs += chance.exponential(1 / perMs)
    return {
      ...{atMs, model: ONE.name},
      ...{promptTokens: chance.lengths(PROMPT), answerTokens: chance.lengths(ANSWER)},
      ...more(at),
    }
  })
}

const warm = () => [ONE.name]

function single(about: string, nodes: readonly NodeKind[], arrivals: Arrival[]): Fleet {
  return {about, nodes, arrivals, models: [ONE], preloaded: warm}
}

function dying(chance: Chance): Fleet {
  const nodes = times(4, GPU)
  const arrivals = poisson(2000, rateFor(nodes, 0.5), chance)
  const endMs = arrivals.at(-1)?.atMs ?? 0
  const bad: NodeKind = {
    ...GPU,
    faults: [
      {kind: 'refuse', fromMs: endMs * 0.2, toMs: endMs * 0.3},
      {kind: 'error', fromMs: endMs * 0.45, toMs: endMs * 0.55},
      {kind: 'hang', fromMs: endMs * 0.7, toMs: endMs * 0.8},
    ],
  }
  return single(
    'four equal nodes at 50 %; one refuses, fails at once and hangs for a tenth of the time each',
    [bad, ...nodes.slice(1)],
    arrivals,
  )
}

function crowd(chance: Chance): Fleet {
  const nodes = [...times(2, GPU), ...times(2, slower(3))]
  const calm = poisson(600, rateFor(nodes, 0.3), chance)
  const middle = (calm.at(-1)?.atMs ?? 0) / 2
  const burst = poisson(200, 1 / 10, chance).map((one) => ({...one, atMs: one.atMs + middle}))
  const arrivals = [...calm, ...burst].sort((a, b) => a.atMs - b.atMs)
  return single(
    'two fast nodes and two of a third the speed at 30 %, and 200 requests more within 2 s',
    nodes,
    arrivals,
  )
}

function tenModels(chance: Chance): Fleet {
  const sizes = [2, 5, 5, 8, 4, 5, 9, 3, 5, 14]
  const models = sizes.map((gigabytes, at) => ({
    name: `model-${at}:latest`,
    sizeBytes: gigabytes * 1e9,
  }))
  const nodes = times(4, {...GPU, loadBytesPerMs: 0.5e6})
  const arrivals = poisson(2000, rateFor(nodes, 0.55), chance, () => ({
    model: models[chance.zipf(models.length)]?.name ?? '',
  }))
  return {
    about:
      'ten models of 2 to 14 GB, some asked often, some seldom, nothing loaded at first; 24 GB each, loads at 0.5 GB/s',
    ...{nodes, models, arrivals, preloaded: () => []},
  }
}

/** Conversations that all begin with the same system prompt and send their whole history each time. */
function conversations(chance: Chance): Fleet {
  const nodes = [...times(2, {...GPU, promptTps: 600}), ...times(2, {...slower(2), promptTps: 300})]
  const SYSTEM = 1024
  const arrivals: Arrival[] = []
  let hash = 0
  const blocks = (tokens: number) =>
    Array.from({length: Math.floor(tokens / BLOCK_TOKENS)}, () => ++hash)
  const shared = blocks(SYSTEM)
  let atMs = 0
  for (let talk = 0; talk < 150; talk++) {
    atMs += chance.exponential(12_000)
    let tokens = SYSTEM
    let prefix = shared
    let before: number | undefined
    for (let turn = 0; turn < 8; turn++) {
      const asked = chance.lengths(250)
      const answerTokens = chance.lengths(120)
      tokens += asked
      prefix = [...prefix, ...blocks(tokens - prefix.length * BLOCK_TOKENS)]
      arrivals.push({
        ...{atMs, model: ONE.name, promptTokens: tokens, answerTokens, prefix},
        ...(before === undefined
          ? {}
          : {after: {index: before, pauseMs: chance.exponential(8000)}}),
      })
      before = arrivals.length - 1
      tokens += answerTokens
    }
  }
  return single(
    '150 of 8 turns with one system prompt of 1,024 tokens for all; two nodes, and two of half the speed',
    nodes,
    arrivals,
  )
}

function thousand(chance: Chance): Fleet {
  const nodes = Array.from({length: 1000}, (_, at) => slower([1, 1, 2, 4][at % 4] ?? 1))
  return single(
    'half of them fast, a quarter at half and a quarter at a quarter of the speed, at 70 %',
    nodes,
    poisson(5000, rateFor(nodes, 0.7), chance),
  )
}

const EQUAL = times(4, GPU)
const MIXED = [...times(2, GPU), ...times(4, slower(4))]
const BATCH = [...times(2, {...GPU, slots: 4}), {...slower(4), slots: 4}]
const loaded = (about: string, nodes: readonly NodeKind[], share: number) => (chance: Chance) =>
  single(about, nodes, poisson(2000, rateFor(nodes, share), chance))

const MAKERS: Readonly<Record<string, (chance: Chance) => Fleet>> = {
  equal: loaded('four equal nodes, one slot each, at 70 %', EQUAL, 0.7),
  '2 fast, 4 slow': loaded('four of a quarter the speed, one slot each, at 60 %', MIXED, 0.6),
  '4 slots': loaded('speeds 1, 1 and 1/4, four slots each, at 67 %', BATCH, 0.67),
  'slots unknown': (chance) => ({
    ...loaded('the same, and nobody tells how many slots there are', BATCH, 0.67)(chance),
    slotsUnknown: true,
  }),
  'one dying': dying,
  'flash crowd': crowd,
  'ten models': tenModels,
  conversations,
  '1,000 nodes': thousand,
}

/** By name, each made anew from a seed. */
export const FLEETS: Readonly<Record<string, (seed: number) => Fleet>> = Object.fromEntries(
  Object.entries(MAKERS).map(([name, make], at) => [
    name,
    (seed: number) => make(new Chance(seed * 100 + at)),
  ]),
)
