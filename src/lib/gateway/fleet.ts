import type {NodeSpec} from '../cluster/node.ts'
import type {Reading} from '../cluster/reading.ts'
import type {NodeEndpoint} from '../ollama/endpoint.ts'
import {downReading, readWhole} from '../ollama/read-node.ts'
import {openUpstream, type Upstream} from '../ollama/upstream.ts'

type Entry = Readonly<Record<string, unknown>>

/** One node as the gateway knows it now. */
export interface FleetNode {
  readonly spec: NodeSpec
  /** Absent until the first look has ended. */
  readonly reading: Reading | undefined
  /** Entries of /api/tags and /api/ps as the node wrote them; those of a node that is down are of its last good reading. */
  readonly tags: readonly Entry[]
  readonly ps: readonly Entry[]
}

export interface FleetOptions {
  /** How to reach a node; may throw for one that cannot be reached now. */
  readonly endpointOf: (node: NodeSpec) => Promise<NodeEndpoint>
  readonly onReading: (reading: Reading) => void
}

/** A node that is up is looked at this often; large fleets less often, so that looking stays cheap. */
const LOOK_MS = 2000
const LOOKS_PER_S = 50
/** A node that is down: first at once again, then ever more rarely. */
const DOWN_MS = {first: 500, most: 10_000}
const READ_MS = 5000
/** A look that was asked for waits so long, since several requests may ask at once. */
const SOON_MS = 20

/** What those need of the fleet who serve requests: it is in this process, or a copy of another one's. */
export type FleetSeen = Pick<Fleet, 'nodes' | 'upstream' | 'look' | 'fresh'>

/** The nodes, their connections, and what was last read of them. Looks at each by itself: a dead one delays nobody. */
export class Fleet {
  readonly #options: FleetOptions
  readonly #watches = new Map<string, Watch>()
  #closed = false

  constructor(options: FleetOptions) {
    this.#options = options
  }

  /** Adds, changes and removes nodes. What runs on a removed one runs to its end. */
  setNodes(specs: readonly NodeSpec[]): void {
    if (this.#closed) return
    const wanted = new Map(specs.map((spec) => [spec.name, spec]))
    const everyMs = Math.max(LOOK_MS, (specs.length / LOOKS_PER_S) * 1000)
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
        watch.everyMs = everyMs
      } else this.#watches.set(spec.name, new Watch(spec, everyMs, this.#options))
    }
  }

  /** All nodes, in the cluster file's order as of the last change. */
  nodes(): readonly FleetNode[] {
    return [...this.#watches.values()]
  }

  node(name: string): FleetNode | undefined {
    return this.#watches.get(name)
  }

  /** The connections to a node; undefined before its first successful look. */
  upstream(name: string): Upstream | undefined {
    return this.#watches.get(name)?.upstream
  }

  /** Looks at a node at once: something was seen that its last reading does not tell. */
  look(name: string): void {
    this.#watches.get(name)?.soon()
  }

  /** Looks at nodes anew; resolves when what they have now is known, or after `withinMs`. */
  async fresh(names: readonly string[], withinMs: number): Promise<void> {
    const looks = names.flatMap((name) => this.#watches.get(name)?.fresh() ?? [])
    const late = Promise.withResolvers<void>()
    const timer = setTimeout(late.resolve, withinMs)
    await Promise.race([Promise.all(looks), late.promise])
    clearTimeout(timer)
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

/** One node, looked at again and again. */
class Watch implements FleetNode {
  spec: NodeSpec
  everyMs: number
  reading: Reading | undefined
  tags: readonly Entry[] = []
  ps: readonly Entry[] = []
  upstream: Upstream | undefined
  readonly first: Promise<void>
  readonly #options: FleetOptions
  readonly #stop = new AbortController()
  #timer: NodeJS.Timeout | undefined
  #looking = false
  #again = false
  /** Called at the end of the next look that begins. */
  #waiting: (() => void)[] = []
  #downMs = DOWN_MS.first

  constructor(spec: NodeSpec, everyMs: number, options: FleetOptions) {
    this.spec = spec
    this.everyMs = everyMs
    this.#options = options
    this.first = this.#look()
  }

  soon(): void {
    if (this.#looking) this.#again = true
    else this.#schedule(SOON_MS)
  }

  /** Resolves at the end of a look that has not begun yet. */
  fresh(): Promise<void> {
    const {promise, resolve} = Promise.withResolvers<void>()
    this.#waiting.push(resolve)
    if (this.#looking) this.#again = true
    else this.#schedule(0)
    return promise
  }

  retire(): void {
    this.#end()
    void this.upstream?.retire()
  }

  async close(): Promise<void> {
    this.#end()
    await this.upstream?.close()
  }

  #end(): void {
    clearTimeout(this.#timer)
    this.#stop.abort(new Error('the node is no longer watched'))
    for (const told of this.#waiting.splice(0)) told()
  }

  async #look(): Promise<void> {
    this.#looking = true
    this.#again = false
    const waiting = this.#waiting.splice(0)
    try {
      const {reading, tags, ps} = await this.#read()
      if (this.#stop.signal.aborted) return
      this.reading = reading
      if (reading.kind === 'up') {
        this.tags = tags
        this.ps = ps
      } else this.ps = []
      this.#options.onReading(reading)
    } catch {
      // Only when it is no longer watched.
    } finally {
      this.#looking = false
      for (const told of waiting) told()
      if (!this.#stop.signal.aborted) this.#schedule(this.#again ? SOON_MS : this.#nextMs())
    }
  }

  async #read() {
    const {signal} = this.#stop
    try {
      this.upstream ??= openUpstream(await this.#options.endpointOf(this.spec))
    } catch (error) {
      return {reading: downReading(this.spec.name, error), tags: [], ps: []}
    }
    const whole = await readWhole(this.upstream.endpoint, this.spec.name, {
      signal,
      timeoutMs: READ_MS,
    })
    // The embedded node may come back on another port.
    if (whole.reading.kind === 'down' && this.spec.kind === 'embedded') {
      void this.upstream.retire()
      this.upstream = undefined
    }
    return whole
  }

  #nextMs(): number {
    if (this.reading?.kind === 'up') {
      this.#downMs = DOWN_MS.first
      return this.everyMs
    }
    const ms = this.#downMs
    this.#downMs = Math.min(DOWN_MS.most, ms * 2)
    return ms
  }

  #schedule(ms: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.#look(), ms)
  }
}
