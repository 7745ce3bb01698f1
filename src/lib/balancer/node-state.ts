import {modelKey} from '../cluster/model-name.ts'
import type {ModelTag, Reading} from '../cluster/reading.ts'
import {Breaker} from './breaker.ts'
import type {BalancedNode} from './dispatch-request.ts'
import {Memory} from './memory.ts'
import type {Replica} from './replica.ts'

/** Weight of the newest answer in what is known of how models share a node. */
const NEWEST = 0.2

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
  /** 1: models that compute at once halve each other's speed; 0: each has hardware of its own. */
  #sharing = 1

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
    for (const {residence} of this.loading) waitMs += residence.loadLeftMs(nowMs)
    return waitMs
  }

  /** How many models compute there besides that one, as far as they take hardware from it. */
  besideOf(replica: Replica): number {
    if (this.inFlight === replica.running.length) return 0
    let count = 0
    for (const other of this.replicas.values())
      if (other !== replica && other.running.length > 0) count++
    return count * this.#sharing
  }

  /** What those still need. */
  besideMs(replica: Replica, nowMs: number): number {
    let sumMs = 0
    for (const other of this.replicas.values()) {
      if (other === replica) continue
      let longestMs = 0
      for (const job of other.running) longestMs = Math.max(longestMs, job.remainingMs(nowMs))
      sumMs += longestMs
    }
    return sumMs * this.#sharing
  }

  /** An answer beside `count` other models took `times` as long as alone. */
  learnSharing(times: number, count: number): void {
    const seen = Math.min(1, Math.max(0, (times - 1) / count))
    this.#sharing += NEWEST * (seen - this.#sharing)
  }

  /** Learned of all its models: bytes loaded per ms. */
  loadBytesPerMs(): number | undefined {
    let bytes = 0
    let ms = 0
    for (const {own, tag} of this.replicas.values()) {
      if (own?.loadMs === undefined) continue
      bytes += tag.sizeBytes
      ms += own.loadMs
    }
    return bytes > 0 && ms > 0 ? bytes / ms : undefined
  }
}

/** Most readings share what is on disk with the one before. */
const KNOWN_TAGS = new WeakMap<readonly ModelTag[], ReadonlyMap<string, ModelTag>>()

/** The tags of a reading by model key. */
export function tagsByKey(models: readonly ModelTag[]): ReadonlyMap<string, ModelTag> {
  const known = KNOWN_TAGS.get(models)
  if (known) return known
  const tags = new Map(models.map((tag) => [modelKey(tag.name), tag]))
  KNOWN_TAGS.set(models, tags)
  return tags
}
