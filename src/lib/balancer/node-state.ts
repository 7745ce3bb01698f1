import {modelKey} from '../cluster/model-name.ts'
import type {ModelTag, Reading} from '../cluster/reading.ts'
import {Breaker} from './breaker.ts'
import type {BalancedNode} from './dispatch-request.ts'
import {Memory} from './memory.ts'
import type {Replica} from './replica.ts'

/** One node: what it should be, what was read of it last, and what we have it do. */
export class NodeState {
  readonly name: string
  spec: BalancedNode
  /** Of what could not be reached no model can be asked. */
  readonly breaker = new Breaker()
  readonly memory = new Memory()
  readonly replicas = new Map<string, Replica>()
  /** Those that requests of ours have it load. */
  readonly loading: Replica[] = []
  /** Requests of ours that it has or that are bound to it. */
  inFlight = 0
  lastUsedMs = 0
  latencyMs = 0
  /** True: taken from the fleet; what it is doing may end. */
  gone = false
  #reading: Reading | undefined
  #aliveMs = Number.NEGATIVE_INFINITY

  constructor(spec: BalancedNode) {
    this.name = spec.name
    this.spec = spec
  }

  get reading(): Reading | undefined {
    return this.#reading
  }

  /** False: that reading is older than the last one. */
  read(reading: Reading): boolean {
    if (this.#reading && reading.atMs < this.#reading.atMs) return false
    this.#reading = reading
    if (reading.kind === 'down') return true
    this.latencyMs = reading.latencyMs
    this.memory.read(reading.loaded)
    return true
  }

  /** A request was bound to it, which counts as a turn. */
  bound(nowMs: number): void {
    this.lastUsedMs = Math.max(nowMs, this.lastUsedMs + 0.001)
  }

  /** It has answered a request. */
  alive(nowMs: number): void {
    this.#aliveMs = nowMs
  }

  /** True: its last reading failed, and it has not answered anything since. */
  get down(): boolean {
    return this.#reading?.kind === 'down' && this.#aliveMs <= this.#reading.atMs
  }

  /** Time until it can begin to load a model: it loads one after the other. */
  loaderWaitMs(nowMs: number): number {
    let waitMs = 0
    for (const replica of this.loading) waitMs += replica.loadLeftMs(nowMs)
    return waitMs
  }

  /** Learned of all its models: bytes loaded per ms. */
  loadBytesPerMs(): number | undefined {
    let bytes = 0
    let ms = 0
    for (const {rate, tag} of this.replicas.values()) {
      if (rate?.loadMs === undefined) continue
      bytes += tag.sizeBytes
      ms += rate.loadMs
    }
    return bytes > 0 && ms > 0 ? bytes / ms : undefined
  }
}

/** The tags of a reading by model key. */
export function tagsByKey(models: readonly ModelTag[]): Map<string, ModelTag> {
  return new Map(models.map((tag) => [modelKey(tag.name), tag]))
}
