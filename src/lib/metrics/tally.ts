import type {RequestOutcome, RequestRecord} from '../cluster/request-record.ts'
import {Buckets} from './buckets.ts'

/** Label value for a node or model that is not the fleet's, and for what goes beyond a limit. */
const OTHER = 'other'
/** Label value where there is none, for example the node of a refused request. No node may be called so. */
export const NONE = '-'

/** More than that would make each scrape a burden, see docs/design/0007-seeing.md. */
export const LIMITS = {
  models: 1000,
  cells: 1000,
  routes: 64,
  reasons: 32,
  kinds: 16,
  nameLength: 256,
} as const

export const OUTCOMES: readonly RequestOutcome[] = [
  'ok',
  'caller',
  'failed',
  'cancelled',
  'refused',
]
const PLACE: Readonly<Record<RequestOutcome, number>> = {
  ok: 0,
  caller: 1,
  failed: 2,
  cancelled: 3,
  refused: 4,
}

/** Up to a cold load of a big model from a slow disk. */
const FIRST_BYTE = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120]
const REQUEST = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600]
const QUEUE = [0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

/** What was counted of one model on one node. */
export class Cell {
  /** Route -> requests by outcome, in the order of OUTCOMES. */
  readonly routes = new Map<string, Float64Array>()
  readonly firstByte = new Buckets(FIRST_BYTE)
  readonly request = new Buckets(REQUEST)
  promptTokens = 0
  answerTokens = 0
}

/** What was counted of one model, wherever it was asked. */
export class ModelTally {
  readonly name: string
  readonly queue = new Buckets(QUEUE)
  attempts = 0
  retries = 0
  hedgesWon = 0
  hedgesLost = 0

  constructor(name: string) {
    this.name = name
  }
}

export class NodeTally {
  readonly cells = new Map<string, Cell>()
  readonly failures = new Map<string, number>()
}

/**
 * The gateway's counters: plain numbers in nested maps, read when somebody scrapes. Many times cheaper than counting in
 * prom-client itself, which hashes all labels each time.
 */
export class Tally {
  readonly #otherNode = new NodeTally()
  readonly #otherModel = new ModelTally(OTHER)
  readonly nodes = new Map([
    [NONE, new NodeTally()],
    [OTHER, this.#otherNode],
  ])
  readonly models = new Map([
    [NONE, new ModelTally(NONE)],
    [OTHER, this.#otherModel],
  ])
  readonly refused = new Map<string, number>()
  bytesIn = 0
  bytesOut = 0
  #cells = 0
  readonly #routes = new Set<string>()

  /** See `Metrics.setKnown`. */
  setKnown(nodes: Iterable<string>, models: Iterable<string>): void {
    keepOnly(this.nodes, nodes, () => new NodeTally(), Number.POSITIVE_INFINITY)
    keepOnly(this.models, models, (name) => new ModelTally(name), LIMITS.models)
    this.#cells = 0
    for (const {cells} of this.nodes.values()) {
      for (const model of cells.keys()) if (!this.models.has(model)) cells.delete(model)
      this.#cells += cells.size
    }
  }

  /** The name itself if it is the fleet's, else `other`. */
  nodeLabel(name: string): string {
    return this.nodes.has(name) ? name : OTHER
  }

  modelLabel(name: string): string {
    return this.models.has(name) ? name : OTHER
  }

  record(request: RequestRecord): void {
    const model = this.#model(request.model)
    const cell = this.#cell(this.#node(request.node), model.name)
    const outcomes = cell.routes.get(request.route) ?? this.#route(cell, request.route)
    const place = PLACE[request.outcome]
    outcomes[place] = (outcomes[place] ?? 0) + 1
    cell.request.observe(request.totalMs)
    if (request.firstByteMs !== undefined) cell.firstByte.observe(request.firstByteMs)
    cell.promptTokens += amount(request.promptTokens)
    cell.answerTokens += amount(request.answerTokens)
    if (request.model !== undefined) model.queue.observe(request.queueMs)
    model.attempts += amount(request.attempts)
    const hedges = request.hedge === undefined ? 0 : 1
    if (request.attempts > 1) model.retries += amount(request.attempts - 1 - hedges)
    if (request.hedge === 'won') model.hedgesWon++
    else if (request.hedge === 'lost') model.hedgesLost++
    this.bytesIn += amount(request.bytesIn)
    this.bytesOut += amount(request.bytesOut)
    if (request.outcome === 'refused')
      count(this.refused, request.code ?? 'unknown', LIMITS.reasons)
  }

  failedAttempt(node: string, kind: string): void {
    count(this.#node(node).failures, kind, LIMITS.kinds)
  }

  #model(name: string = NONE): ModelTally {
    return this.models.get(name) ?? this.#otherModel
  }

  #node(name: string = NONE): NodeTally {
    return this.nodes.get(name) ?? this.#otherNode
  }

  #cell(node: NodeTally, model: string): Cell {
    const cell = node.cells.get(model)
    if (cell) return cell
    if (model !== OTHER && this.#cells >= LIMITS.cells) return this.#cell(node, OTHER)
    const made = new Cell()
    node.cells.set(model, made)
    this.#cells++
    return made
  }

  #route(cell: Cell, route: string): Float64Array {
    if (!this.#routes.has(route)) {
      if (this.#routes.size >= LIMITS.routes && route !== OTHER)
        return cell.routes.get(OTHER) ?? this.#route(cell, OTHER)
      this.#routes.add(route)
    }
    const made = new Float64Array(OUTCOMES.length)
    cell.routes.set(route, made)
    return made
  }
}

/** A count as a node may report it; nonsense (1e999 is valid JSON) must not spoil a sum for ever. */
function amount(value: number | undefined): number {
  return value !== undefined && value > 0 && value < 1e12 ? value : 0
}

function count(into: Map<string, number>, name: string, limit: number): void {
  const kept = into.has(name) || into.size < limit ? name : OTHER
  into.set(kept, (into.get(kept) ?? 0) + 1)
}

/** Makes `map` hold the reserved names and these, at most `limit`; what it has of them already stays as it is. */
function keepOnly<T>(
  map: Map<string, T>,
  names: Iterable<string>,
  make: (name: string) => T,
  limit: number,
): void {
  const wanted = new Set(names).add(NONE).add(OTHER)
  for (const name of map.keys()) if (!wanted.has(name)) map.delete(name)
  for (const name of wanted) {
    if (map.size >= limit) return
    if (!map.has(name) && name.length <= LIMITS.nameLength) map.set(name, make(name))
  }
}
