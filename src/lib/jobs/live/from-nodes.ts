import {EventRing, nodeEvents} from '../../cluster/fleet-changes.ts'
import type {LiveFrame, LiveNode} from '../../cluster/live.ts'
import {liveNodeOf} from '../../cluster/live-node.ts'
import type {Cluster, NodeSpec} from '../../cluster/node.ts'
import type {Reading} from '../../cluster/reading.ts'
import {Turns} from '../../cluster/turns.ts'
import {type NodeUse, readUse} from '../../state/leases.ts'
import {leaseDir} from '../ask-node.ts'
import type {Tools} from '../tools.ts'
import {readAgain} from './read-node.ts'

/** Frames come so often while nodes are read and are as they were. */
const EVERY_MS = 500
/** So soon after one that is another. */
const SOON_MS = 50
/** A look at a node that is up; in large fleets less often, so that all together stay cheap. */
const LOOK_MS = 500
const LOOKS_PER_S = 280
/** The same of what it has on disk, which changes now and then. */
const CATALOGUE_MS = 10_000
const CATALOGUES_PER_S = 5
/** Where nothing is new, one comes after so long. */
const QUIET_MS = 1000
/** The leases of other processes are looked at so often. */
const USE_MS = 1000
/** Nodes that are connected to at once. */
const DIALS = 32

interface Place {
  spec: NodeSpec
  readonly stop: AbortController
  reading: Reading | undefined
  shown: LiveNode | undefined
  /** What that was made from. */
  from?: {
    readonly spec: NodeSpec
    readonly reading: Reading | undefined
    readonly inFlight: number
  }
}

/** Reads all nodes of a cluster by itself, each at its own pace. */
export class NodesSource {
  readonly #tools: Pick<Tools, 'endpoint' | 'paths'>
  readonly #onFrame: (frame: LiveFrame) => void
  readonly #dials = new Turns(DIALS)
  readonly #timer: NodeJS.Timeout
  #due: NodeJS.Timeout | undefined
  readonly #places = new Map<string, Place>()
  readonly #loops = new Set<Promise<void>>()
  #cluster: Cluster
  #order: readonly string[] | undefined
  #whole = true
  #closed = false
  readonly #events = new EventRing(500)
  #told = 0
  #shownMs = 0
  #use: ReadonlyMap<string, NodeUse> = new Map()
  #useMs = 0

  constructor(
    tools: Pick<Tools, 'endpoint' | 'paths'>,
    cluster: Cluster,
    onFrame: (frame: LiveFrame) => void,
  ) {
    this.#tools = tools
    this.#onFrame = onFrame
    this.#cluster = cluster
    this.set(cluster, true)
    this.#timer = setInterval(() => this.#flush(), EVERY_MS)
  }

  /** The cluster as its file has it now; `first`: nobody has seen another one. */
  set(cluster: Cluster, first = false): void {
    this.#cluster = cluster
    const before = new Set(this.#places.keys())
    const wanted = new Map(cluster.nodes.map((spec) => [spec.name, spec]))
    for (const [name, place] of this.#places) {
      const spec = wanted.get(name)
      if (spec && reachOf(spec) === reachOf(place.spec)) continue
      place.stop.abort()
      this.#places.delete(name)
      if (!spec) this.#events.add(...nodeEvents(place.shown, undefined, Date.now()))
    }
    for (const spec of cluster.nodes) {
      const place = this.#places.get(spec.name)
      if (place) place.spec = spec
      else this.#add(spec, first || before.has(spec.name))
    }
    this.#order = cluster.nodes.map(({name}) => name)
    if (first) this.#flush()
  }

  async close(): Promise<void> {
    this.#closed = true
    clearInterval(this.#timer)
    clearTimeout(this.#due)
    for (const {stop} of this.#places.values()) stop.abort()
    await Promise.all(this.#loops)
  }

  #add(spec: NodeSpec, known: boolean): void {
    const place: Place = {spec, stop: new AbortController(), reading: undefined, shown: undefined}
    this.#places.set(spec.name, place)
    if (!known)
      this.#events.add(...nodeEvents(undefined, liveNodeOf(spec, undefined, NONE), Date.now()))
    const {length} = this.#cluster.nodes
    const everyMs = Math.max(LOOK_MS, (length / LOOKS_PER_S) * 1000)
    const catalogueMs = Math.max(CATALOGUE_MS, (length / CATALOGUES_PER_S) * 1000)
    const loop = readAgain(this.#tools, spec, {
      ...{signal: place.stop.signal, everyMs, catalogueMs, dials: this.#dials},
      onReading: (reading) => {
        const known = isAlike(place.reading, reading)
        place.reading = reading
        if (!known) this.#soon()
      },
    })
    this.#loops.add(loop)
    void loop.finally(() => this.#loops.delete(loop))
  }

  #soon(): void {
    this.#due ??= setTimeout(() => this.#flush(), SOON_MS)
  }

  #flush(): void {
    clearTimeout(this.#due)
    this.#due = undefined
    if (this.#closed) return
    const atMs = Date.now()
    const all = [...this.#places.values()]
    this.#readUse(atMs)
    const nodes: LiveNode[] = []
    for (const place of all) {
      const {spec, reading} = place
      const inFlight = this.#use.get(spec.name)?.inFlight ?? 0
      const {from} = place
      if (from?.spec === spec && from.reading === reading && from.inFlight === inFlight) continue
      place.from = {spec, reading, inFlight}
      const now = liveNodeOf(spec, reading, {inFlight})
      if (place.shown) this.#events.add(...nodeEvents(place.shown, now, atMs))
      place.shown = now
      nodes.push(now)
    }
    const events = this.#events.since(this.#told)
    const news = this.#whole || this.#order || nodes.length > 0 || events.length > 0
    if (!news && atMs - this.#shownMs < QUIET_MS) return
    this.#shownMs = atMs
    this.#told = this.#events.count
    const inFlight = all.reduce((sum, {shown}) => sum + (shown?.inFlight ?? 0), 0)
    const order = this.#order ? {order: this.#order} : {}
    const frame = {atMs, whole: this.#whole, ...order, nodes, requests: [], events}
    this.#order = undefined
    this.#whole = false
    this.#onFrame({...frame, totals: {atMs, inFlight}})
  }

  /** What processes of this machine are doing. */
  #readUse(atMs: number): void {
    if (atMs - this.#useMs < USE_MS) return
    this.#useMs = atMs
    this.#use = readUse(leaseDir(this.#tools, this.#cluster), [...this.#places.keys()])
  }
}

const NONE = {inFlight: 0}

/** True if nothing has happened in between that one would wait for. */
function isAlike(before: Reading | undefined, after: Reading): boolean {
  if (before?.kind !== 'up' || after.kind !== 'up') return before?.kind === after.kind
  const models = before.models === after.models
  return models && digestsOf(before) === digestsOf(after)
}

const digestsOf = ({loaded}: Reading & {readonly kind: 'up'}) =>
  loaded.map(({digest}) => digest).join()

/** What has to be connected to anew when it is another. */
function reachOf({labels: _l, drained: _d, ollama, ...rest}: NodeSpec): string {
  return JSON.stringify([rest, ollama.port])
}
