import {Counter, Gauge, type Registry} from 'prom-client'
import type {FleetSample} from '../cluster/fleet-sample.ts'
import type {Buckets} from './buckets.ts'
import {CountedHistogram, type Labels} from './counted-histogram.ts'
import {type Cell, LIMITS, NONE, OUTCOMES, type Tally} from './tally.ts'

/** Where several stand under the same labels they are added up. */
type Series = Iterable<readonly [Labels, number]>

/** Shows what `tally` has counted. */
export function exposeCounts(registry: Registry, tally: Tally): void {
  const counter = (name: string, help: string, labelNames: string[], read: () => Series) =>
    new Counter({
      name: `ollamax_${name}_total`,
      help,
      labelNames,
      registers: [registry],
      collect() {
        this.reset()
        for (const [labels, value] of read()) this.inc(labels, value)
      },
    })
  counter('requests', 'Requests that have ended.', ['model', 'node', 'route', 'outcome'], () =>
    requests(tally),
  )
  counter('tokens', 'Tokens as the nodes counted them.', ['model', 'node', 'kind'], () =>
    tokens(tally),
  )
  counter('attempts', 'Requests to nodes, the first and all later ones.', ['model'], () =>
    models(tally, 'attempts'),
  )
  counter('retries', 'Requests to a further node after one had failed.', ['model'], () =>
    models(tally, 'retries'),
  )
  counter(
    'hedges',
    'Requests to a second node while the first one said nothing, by which of them answered.',
    ['model', 'outcome'],
    () => hedges(tally),
  )
  counter('failed_attempts', 'Requests to a node that it failed.', ['node', 'kind'], () =>
    failures(tally),
  )
  counter('refused', 'Requests that no node was asked for.', ['reason'], () =>
    [...tally.refused].map(([reason, value]) => [{reason}, value] as const),
  )
  counter('body_bytes', 'Bytes of bodies from clients and to them.', ['direction'], () => [
    [{direction: 'in'}, tally.bytesIn],
    [{direction: 'out'}, tally.bytesOut],
  ])
  const pair = ['model', 'node']
  const byCell = (of: (cell: Cell) => Buckets) =>
    function* (): Iterable<readonly [Labels, Buckets]> {
      for (const [labels, cell] of cellsOf(tally)) yield [labels, of(cell)]
    }
  new CountedHistogram(
    registry,
    'first_byte_seconds',
    "From a request's arrival to the answer's first byte.",
    pair,
    byCell((cell) => cell.firstByte),
  )
  new CountedHistogram(
    registry,
    'request_seconds',
    "From a request's arrival to its end.",
    pair,
    byCell((cell) => cell.request),
  )
  new CountedHistogram(
    registry,
    'queue_seconds',
    'How long requests for a model waited for a node.',
    ['model'],
    function* () {
      for (const {name, queue} of tally.models.values())
        if (queue.count > 0) yield [{model: name}, queue]
    },
  )
}

const BREAKER = {closed: 0, 'half-open': 1, open: 2} as const

/** Shows what `sample` returns at the moment of the scrape. */
export function exposeFleet(registry: Registry, tally: Tally, sample: () => FleetSample): void {
  const gauge = (
    name: string,
    help: string,
    labelNames: string[],
    read: (fleet: FleetSample) => Series,
  ) =>
    new Gauge({
      name: `ollamax_${name}`,
      help,
      labelNames,
      registers: [registry],
      collect() {
        this.reset()
        for (const [labels, value] of read(sample())) this.inc(labels, value)
      },
    })
  const node = (name: string) => tally.nodeLabel(name)
  const model = (name: string) => tally.modelLabel(name)
  gauge('node_up', 'Whether the node answers.', ['node'], ({nodes}) =>
    nodes.map((one) => [{node: node(one.name)}, one.up ? 1 : 0]),
  )
  gauge('node_info', "The node's Ollama.", ['node', 'version'], ({nodes}) =>
    nodes.map((one) => [
      {node: node(one.name), version: one.version?.slice(0, 64) ?? 'unknown'},
      1,
    ]),
  )
  gauge('in_flight', 'Requests that the node is working on for us.', ['node'], ({nodes}) =>
    nodes.map((one) => [{node: node(one.name)}, one.inFlight]),
  )
  const loaded = (
    name: string,
    help: string,
    value: (one: FleetSample['nodes'][number]['loaded'][number]) => number,
  ) =>
    gauge(name, help, ['node', 'model'], ({nodes}) =>
      nodes.flatMap((from) =>
        from.loaded.map(
          (one) => [{node: node(from.name), model: model(one.model)}, value(one)] as const,
        ),
      ),
    )
  loaded('model_loaded', 'Models in memory.', () => 1)
  loaded('model_memory_bytes', 'Memory that a loaded model takes.', (one) => one.sizeBytes)
  loaded('model_vram_bytes', 'GPU memory that a loaded model takes.', (one) => one.vramBytes)
  gauge('queued', 'Requests that wait for the model.', ['model'], ({queues}) =>
    queues.map((one) => [{model: model(one.model)}, one.depth]),
  )
  gauge(
    'breaker_state',
    'Breaker of a model on a node: 0 closed, 1 half open, 2 open.',
    ['node', 'model'],
    ({replicas}) =>
      replicas
        .filter((one) => node(one.node) === one.node && model(one.model) === one.model)
        // Beyond the limit the closed ones go first: nobody is woken by them.
        .toSorted((a, b) => BREAKER[b.breaker] - BREAKER[a.breaker])
        .slice(0, LIMITS.cells)
        .map((one) => [{node: one.node, model: one.model}, BREAKER[one.breaker]]),
  )
}

function* cellsOf(tally: Tally): Iterable<readonly [{model: string; node: string}, Cell]> {
  for (const [node, {cells}] of tally.nodes)
    for (const [model, cell] of cells) yield [{model, node}, cell]
}

function* requests(tally: Tally): Series {
  for (const [labels, cell] of cellsOf(tally))
    for (const [route, counts] of cell.routes)
      for (const [at, outcome] of OUTCOMES.entries()) {
        const value = counts[at] ?? 0
        if (value > 0) yield [{...labels, route, outcome}, value]
      }
}

function* tokens(tally: Tally): Series {
  for (const [labels, cell] of cellsOf(tally)) {
    if (labels.node === NONE || labels.model === NONE) continue
    yield [{...labels, kind: 'prompt'}, cell.promptTokens]
    yield [{...labels, kind: 'answer'}, cell.answerTokens]
  }
}

function* models(tally: Tally, what: 'attempts' | 'retries'): Series {
  for (const model of tally.models.values())
    if (model.attempts > 0) yield [{model: model.name}, model[what]]
}

function* hedges(tally: Tally): Series {
  for (const {name, hedgesWon, hedgesLost} of tally.models.values()) {
    if (hedgesWon > 0) yield [{model: name, outcome: 'won'}, hedgesWon]
    if (hedgesLost > 0) yield [{model: name, outcome: 'lost'}, hedgesLost]
  }
}

function* failures(tally: Tally): Series {
  for (const [node, {failures}] of tally.nodes)
    for (const [kind, value] of failures) yield [{node, kind}, value]
}
