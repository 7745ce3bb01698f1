import type {NodeSpec} from '../../cluster/node.ts'
import type {Reading} from '../../cluster/reading.ts'
import {type FleetNode, type FleetSeen, sameReach} from '../../gateway/fleet.ts'
import type {NodeEndpoint} from '../../ollama/endpoint.ts'
import {openUpstream, type Upstream} from '../../ollama/upstream.ts'
import type {NodeCopy} from './desks.ts'

export interface FleetCopyOptions {
  /** How this process reaches a node; may throw for one that cannot be reached now. */
  readonly endpointOf: (node: NodeSpec) => Promise<NodeEndpoint>
  readonly look: (node: string) => void
  readonly fresh: (nodes: readonly string[], withinMs: number) => Promise<void>
  readonly current: (withinMs: number) => Promise<void>
}

/** The fleet as a worker has it: the primary looks at the nodes and tells, the connections are its own. */
export class FleetCopy implements FleetSeen {
  readonly #options: FleetCopyOptions
  #places = new Map<string, Place>()

  constructor(options: FleetCopyOptions) {
    this.#options = options
  }

  /** All nodes that there are from now on. What runs on one that is gone runs to its end. */
  set(copies: readonly NodeCopy[]): void {
    const before = this.#places
    this.#places = new Map()
    for (const copy of copies) {
      const known = before.get(copy.spec.name)
      const place = known && sameReach(known.spec, copy.spec) ? known : new Place(copy.spec)
      this.#places.set(copy.spec.name, place)
      place.spec = copy.spec
      this.#take(place, copy)
    }
    const kept = new Set(this.#places.values())
    for (const place of before.values()) if (!kept.has(place)) void place.upstream?.retire()
  }

  /** A node was read. */
  read(copy: NodeCopy): void {
    const place = this.#places.get(copy.spec.name)
    if (place) this.#take(place, copy)
  }

  /** Resolves when the node's connections can be used; absent: they can, or cannot be had. */
  opening(node: string): Promise<void> | undefined {
    return this.#places.get(node)?.opening
  }

  /** Resolves when that is so for all nodes. */
  async opened(): Promise<void> {
    await Promise.all([...this.#places.values()].map(({opening}) => opening))
  }

  nodes(): readonly FleetNode[] {
    return [...this.#places.values()]
  }

  upstream(name: string): Upstream | undefined {
    return this.#places.get(name)?.upstream
  }

  look(name: string): void {
    this.#options.look(name)
  }

  async fresh(names: readonly string[], withinMs: number): Promise<void> {
    await this.#options.fresh(names, withinMs)
  }

  /** Always asks: only the primary knows how new what it has told is. */
  async current(withinMs: number): Promise<void> {
    try {
      await this.#options.current(withinMs)
    } catch {
      // With the primary gone this process ends as well.
    }
  }

  async close(): Promise<void> {
    const all = [...this.#places.values()]
    this.#places.clear()
    await Promise.all(all.map(({upstream}) => upstream?.close()))
  }

  #take(place: Place, {reading, tags, ps}: NodeCopy): void {
    // The embedded node may come back on another port.
    if (reading?.kind === 'down' && place.spec.kind === 'embedded') {
      void place.upstream?.retire()
      place.upstream = undefined
    }
    if (reading?.kind === 'up' && !place.upstream && place.opening === undefined) this.#open(place)
    // Who can be asked must be reachable.
    const take = () => Object.assign(place, {reading, tags, ps})
    if (place.opening !== undefined) void place.opening.then(take)
    else take()
  }

  #open(place: Place): void {
    const open = async () => {
      try {
        const endpoint = await this.#options.endpointOf(place.spec)
        // It was taken out meanwhile.
        if (this.#places.get(place.spec.name) !== place) return
        place.upstream = openUpstream(endpoint)
      } catch {
        // The next reading tries again; until then requests are told that the node is gone.
      } finally {
        place.opening = undefined
      }
    }
    place.opening = open()
  }
}

class Place implements FleetNode {
  spec: NodeSpec
  reading: Reading | undefined
  tags: FleetNode['tags'] = []
  ps: FleetNode['ps'] = []
  upstream: Upstream | undefined
  opening: Promise<void> | undefined

  constructor(spec: NodeSpec) {
    this.spec = spec
  }
}
