import type {LoadedModel} from '../cluster/reading.ts'
import type {NodeState} from './node-state.ts'
import type {Replica} from './replica.ts'

/** Ollama's own limit for one GPU. */
const MOST_LOADED = 3
/** What is pushed out pushes out something itself when it is loaded again, and so on. */
const CASCADE = 2
/** What a model needs in memory beside its weights: caches, as a share. */
const OVERHEAD = 1.15
/** As long as Ollama keeps an idle model by default: one that is asked again within this time would rather not have been pushed out. */
const HORIZON_MS = 300_000

/** A load into an empty memory counts at least so much of its time. */
const LEAST_WEIGHT = 0.5

type Sized = Pick<LoadedModel, 'name' | 'sizeBytes'>

/**
 * How much a node can hold in memory, and what a further model would push out. Learned where it is not given: what was
 * seen loaded together fits; when one went as another came, they do not.
 */
export class Memory {
  #loaded: readonly Sized[] = []
  #fitsBytes = 0
  #tooMuchBytes = Number.POSITIVE_INFINITY
  #mostCount = MOST_LOADED

  read(loaded: readonly Sized[]): void {
    const bytes = sum(loaded)
    this.#fitsBytes = Math.max(this.#fitsBytes, bytes)
    if (this.#tooMuchBytes <= this.#fitsBytes) this.#tooMuchBytes = Number.POSITIVE_INFINITY
    this.#mostCount = Math.max(this.#mostCount, loaded.length)
    const has = (list: readonly Sized[], {name}: Sized) => list.some((one) => one.name === name)
    const came = loaded.filter((one) => !has(this.#loaded, one))
    const left = this.#loaded.filter((one) => !has(loaded, one))
    const together = bytes + sum(left)
    if (came.length > 0 && left.length > 0 && loaded.length + left.length <= this.#mostCount)
      if (together > this.#fitsBytes) this.#tooMuchBytes = Math.min(this.#tooMuchBytes, together)
    this.#loaded = loaded
  }

  /** What was seen in memory together, the least that was too much (infinite: never seen), and how many models at most. */
  get seen(): {
    readonly fitsBytes: number
    readonly tooMuchBytes: number
    readonly mostCount: number
  } {
    return {
      fitsBytes: this.#fitsBytes,
      tooMuchBytes: this.#tooMuchBytes,
      mostCount: this.#mostCount,
    }
  }

  /** How sure it is that so many bytes more push something out, 0...1. */
  overfull(sizeBytes: number, at: NodeState): number {
    let bytes = sizeBytes * OVERHEAD
    let count = 1
    for (const replica of at.replicas.values()) {
      if (!replica.residence.loaded && !replica.residence.loading) continue
      bytes += replica.memoryBytes
      count++
    }
    if (count > this.#mostCount) return 1
    const given = at.spec.memoryBytes
    if (given !== undefined) return bytes > given ? 1 : 0
    if (bytes <= this.#fitsBytes) return 0
    return bytes >= this.#tooMuchBytes ? 1 : 0.5
  }

  /**
   * How much the time of such a load counts: on a node that has come back with nothing in memory half where one more
   * will profit from it, and so on. Who looks at its own time alone waits elsewhere, and the node stays empty, for all
   * that come after. Where something is in memory, room may be better left to what is asked for next.
   */
  loadWeight({at, model}: Replica, nowMs: number): number {
    for (const {residence} of at.replicas.values())
      if (residence.loaded || residence.loading) return 1
    const profit = (model.repeatedPerMs(nowMs) * HORIZON_MS) / (1 + model.loadedOn)
    return Math.max(LEAST_WEIGHT, 1 / (1 + profit))
  }

  /** What the others lose when this replica is loaded: the loads that they will need again, ms. */
  harmMs(loads: Replica, nowMs: number): number {
    const {at} = loads
    let costMs = 0
    let count = 0
    for (const other of at.replicas.values()) {
      if (!other.residence.loaded || other === loads) continue
      count++
      const uses = (other.model.usesPerMs(nowMs) * HORIZON_MS) / Math.max(1, other.model.loadedOn)
      costMs += other.reloadMs * (1 - Math.exp(-uses))
    }
    if (count === 0) return 0
    // Which of them goes, nobody can tell: Ollama takes an idle one.
    const likely = this.overfull(loads.tag.sizeBytes, at)
    return likely === 0 ? 0 : (CASCADE * likely * costMs) / count
  }
}

const sum = (loaded: readonly Sized[]) => loaded.reduce((bytes, one) => bytes + one.sizeBytes, 0)
