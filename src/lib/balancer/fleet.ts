import {modelKey} from '../cluster/model-name.ts'
import type {ModelTag, Reading} from '../cluster/reading.ts'
import type {BalancedNode} from './dispatch-request.ts'
import type {DispatchLimits} from './limits.ts'
import {ModelState} from './model-state.ts'
import {NodeState, tagsByKey} from './node-state.ts'
import type {Rate, Rates} from './rates.ts'
import {Replica} from './replica.ts'

/** Spellings of model names that are remembered; beyond, all are forgotten and found again. */
const SPELLINGS = 10_000

/** The nodes, the models and who has what, kept so that a request finds its replicas by one look-up. */
export class Fleet {
  readonly nodes = new Map<string, NodeState>()
  readonly #limits: DispatchLimits
  /** What was learned of replicas that are not there (yet). */
  readonly #rates = new Map<string, Record<string, Rate>>()
  readonly #models = new Map<string, ModelState>()
  readonly #spellings = new Map<string, ModelState>()

  constructor(limits: DispatchLimits, rates: Rates) {
    this.#limits = limits
    for (const [node, known] of Object.entries(rates)) this.#rates.set(node, {...known})
  }

  /** The nodes that there are to be from now on. Returns those that left. */
  setNodes(specs: readonly BalancedNode[]): NodeState[] {
    const wanted = new Map(specs.map((spec) => [spec.name, spec]))
    const left: NodeState[] = []
    for (const node of this.nodes.values()) {
      if (wanted.has(node.name)) continue
      node.gone = true
      left.push(node)
      for (const replica of node.replicas.values()) this.#remove(replica)
      this.nodes.delete(node.name)
      this.#rates.delete(node.name)
    }
    for (const spec of specs) {
      const known = this.nodes.get(spec.name)
      if (known) known.spec = spec
      else this.nodes.set(spec.name, new NodeState(spec))
    }
    return left
  }

  /** Takes over a reading; false: of an unknown node, or older than what is known. */
  observe(reading: Reading, nowMs: number): boolean {
    const node = this.nodes.get(reading.node)
    if (!node?.read(reading)) return false
    if (reading.kind === 'down') return true
    // It can be reached; whether it serves, a request has to show.
    node.breaker.tryNow(nowMs)
    const tags = tagsByKey(reading.models)
    for (const [key, replica] of node.replicas) if (!tags.has(key)) this.#remove(replica)
    for (const [key, tag] of tags) {
      const known = node.replicas.get(key)
      const replica = known ?? this.#replica(node, key, tag)
      if (!known) {
        node.replicas.set(key, replica)
        replica.model.replicas.push(replica)
        replica.model.changed()
      }
      replica.read(reading, tag, nowMs)
    }
    return true
  }

  /** The model of that name, however it is spelt; undefined: no node has ever told that it has it. */
  model(name: string): ModelState | undefined {
    const known = this.#spellings.get(name)
    if (known) return known
    const model = this.#models.get(modelKey(name))
    if (!model) return undefined
    if (this.#spellings.size >= SPELLINGS) this.#spellings.clear()
    this.#spellings.set(name, model)
    return model
  }

  get models(): Iterable<ModelState> {
    return this.#models.values()
  }

  /** All that was learned, to be kept for the next start. */
  rates(): Rates {
    const all: Record<string, Record<string, Rate>> = {}
    for (const [node, known] of this.#rates) all[node] = {...known}
    for (const node of this.nodes.values()) {
      const of = all[node.name] ?? {}
      for (const [key, {rates, slotsLearned}] of node.replicas)
        for (const [name, rate] of rates.entries(key))
          of[name] = name === key ? {...rate, slots: slotsLearned.learned} : rate
      if (Object.keys(of).length > 0) all[node.name] = of
    }
    return all
  }

  /** Takes over what was learned elsewhere since, by others or of nodes that have another name now. */
  adopt(rates: Rates): void {
    for (const [name, learned] of Object.entries(rates)) {
      const node = this.nodes.get(name)
      if (!node) continue
      const known = {...this.#rates.get(name)}
      for (const [key, rate] of Object.entries(learned))
        if (rate.atMs > (known[key]?.atMs ?? Number.NEGATIVE_INFINITY)) known[key] = rate
      this.#rates.set(name, known)
      for (const [key, replica] of node.replicas) replica.rates.adopt(key, learned)
    }
  }

  #replica(at: NodeState, key: string, tag: ModelTag): Replica {
    const kept = this.#rates.get(at.name) ?? {}
    return new Replica({at, model: this.#model(key), tag, limits: this.#limits, kept})
  }

  #model(key: string): ModelState {
    const known = this.#models.get(key)
    if (known) return known
    const model = new ModelState(key, this.#limits)
    this.#models.set(key, model)
    return model
  }

  #remove(replica: Replica): void {
    const {at, model} = replica
    at.replicas.delete(model.key)
    const loading = at.loading.indexOf(replica)
    if (loading >= 0) at.loading.splice(loading, 1)
    const place = model.replicas.indexOf(replica)
    if (place >= 0) model.replicas.splice(place, 1)
    model.changed()
    // Names come and go; who still runs or waits keeps its own hold of the model.
    if (model.replicas.length === 0 && model.queue.length === 0) {
      this.#models.delete(model.key)
      this.#spellings.clear()
    }
    const known = this.#rates.get(at.name) ?? {}
    for (const [name, rate] of replica.rates.entries(model.key)) known[name] = rate
    this.#rates.set(at.name, known)
  }
}
