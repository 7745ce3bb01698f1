import type {NodeSpec} from '../cluster/node.ts'
import type {Reading} from '../cluster/reading.ts'
import type {Upstream} from '../ollama/upstream.ts'
import {type Entry, NodeWatch, type WatchOptions} from './node-watch.ts'
import {type Pace, paceOf} from './pace.ts'
import {within} from './within.ts'

/** One node as the gateway knows it now. */
export interface FleetNode {
  readonly spec: NodeSpec
  /** Absent until the first look has ended. */
  readonly reading: Reading | undefined
  /** Entries of /api/tags and /api/ps as the node wrote them; those of a node that is down are of its last good reading. */
  readonly tags: readonly Entry[]
  readonly ps: readonly Entry[]
}

export interface FleetOptions extends WatchOptions {
  /** Instead of what suits the number of nodes; for tests. */
  readonly pace?: Pace
}

/** What those need of the fleet who serve requests: it is in this process, or a copy of another one's. */
export type FleetSeen = Pick<Fleet, 'nodes' | 'upstream' | 'look' | 'fresh' | 'current'>

/** The nodes, their connections, and what was last read of them. Looks at each by itself: a dead one delays nobody. */
export class Fleet {
  readonly #options: FleetOptions
  readonly #watches = new Map<string, NodeWatch>()
  #closed = false

  constructor(options: FleetOptions) {
    this.#options = options
  }

  /** Adds, changes and removes nodes. What runs on a removed one runs to its end. */
  setNodes(specs: readonly NodeSpec[]): void {
    if (this.#closed) return
    const wanted = new Map(specs.map((spec) => [spec.name, spec]))
    const pace = this.#options.pace ?? paceOf(specs.length)
    for (const [name, watch] of this.#watches) {
      const spec = wanted.get(name)
      if (spec && sameReach(spec, watch.spec)) continue
      watch.retire()
      this.#watches.delete(name)
    }
    for (const spec of specs) {
      const watch = this.#watches.get(spec.name)
      if (watch) {
        watch.spec = spec
        watch.pace = pace
      } else this.#watches.set(spec.name, new NodeWatch(spec, pace, this.#options))
    }
  }

  /** All nodes, in the cluster file's order as of the last change. */
  nodes(): readonly FleetNode[] {
    return [...this.#watches.values()]
  }

  node(name: string): FleetNode | undefined {
    return this.#watches.get(name)
  }

  /** The connections to a node, for a request to it; undefined before its first successful look. */
  upstream(name: string): Upstream | undefined {
    this.used(name)
    return this.#watches.get(name)?.upstream
  }

  /** Something is sent to a node, by this process or on its behalf: it is looked at more often. */
  used(name: string): void {
    this.#watches.get(name)?.used()
  }

  /** Somebody has all nodes on a screen, and will say so again. */
  watched(): void {
    for (const watch of this.#watches.values()) watch.watched()
  }

  /** Looks at a node at once: something was seen that its last reading does not tell. */
  look(name: string): void {
    this.#watches.get(name)?.soon()
  }

  /** Looks at nodes anew; resolves when what they have now is known, or after `withinMs`. */
  fresh(names: readonly string[], withinMs: number): Promise<void> {
    return within(
      Promise.all(names.flatMap((name) => this.#watches.get(name)?.fresh() ?? [])),
      withinMs,
    )
  }

  /**
   * Looks at the nodes that are up and whose catalogue is not quite new; resolves when it is, or after `withinMs`.
   * Undefined: all of them are.
   */
  current(withinMs: number): Promise<void> | undefined {
    const looks = [...this.#watches.values()].flatMap((watch) => watch.current() ?? [])
    return looks.length === 0 ? undefined : within(Promise.all(looks), withinMs)
  }

  /** Resolves when every node has been looked at once, or the signal aborts. */
  async looked(signal: AbortSignal): Promise<void> {
    const all = Promise.all([...this.#watches.values()].map((watch) => watch.first))
    const stop = Promise.withResolvers<void>()
    const aborted = () => stop.resolve()
    signal.addEventListener('abort', aborted, {once: true})
    if (signal.aborted) aborted()
    await Promise.race([all, stop.promise])
    signal.removeEventListener('abort', aborted)
  }

  async close(): Promise<void> {
    this.#closed = true
    const all = [...this.#watches.values()]
    this.#watches.clear()
    await Promise.all(all.map((watch) => watch.close()))
  }
}

/** True if the connections made for one serve for the other as well. */
export function sameReach(a: NodeSpec, b: NodeSpec): boolean {
  const reach = ({name: _n, labels: _l, drained: _d, ollama, ...rest}: NodeSpec) =>
    JSON.stringify([rest, ollama.port])
  return reach(a) === reach(b)
}
