import {isDeepStrictEqual} from 'node:util'
import type {NodeSpec} from '../cluster/node.ts'
import type {Reading} from '../cluster/reading.ts'
import type {NodeEndpoint} from '../ollama/endpoint.ts'
import {downReading, type Known, readWhole} from '../ollama/read-node.ts'
import {openUpstream, type Upstream} from '../ollama/upstream.ts'
import {type Interest, type Pace, pauseAfter, WATCHED_MS} from './pace.ts'

/** An entry of a node's lists, as the node wrote it. */
export type Entry = Readonly<Record<string, unknown>>

export interface WatchOptions {
  /** How to reach a node; may throw for one that cannot be reached now. */
  readonly endpointOf: (node: NodeSpec) => Promise<NodeEndpoint>
  readonly onReading: (reading: Reading) => void
  /** Requests of ours that a node has in hand. */
  readonly inFlight: (node: string) => number
}

const READ_MS = 5000
/** A look that was asked for waits so long, since several requests may ask at once. */
const SOON_MS = 20

/** One look under way. */
interface Look {
  /** Everything is read, the catalogue too. */
  readonly whole: boolean
  readonly done: Promise<void>
}

/** One node, looked at again and again: what it has in memory each time, the rest rarely or where it is in doubt. */
export class NodeWatch {
  spec: NodeSpec
  pace: Pace
  reading: Reading | undefined
  tags: readonly Entry[] = []
  ps: readonly Entry[] = []
  upstream: Upstream | undefined
  readonly first: Promise<void>
  readonly #options: WatchOptions
  readonly #stop = new AbortController()
  #timer: NodeJS.Timeout | undefined
  #dueMs = 0
  #look: Look | undefined
  /** What is wanted of the look after the one under way. */
  #again = false
  #inDoubt = true
  /** When the catalogue was read, by a clock that does not jump. */
  #catalogueMs = Number.NEGATIVE_INFINITY
  /** Called at the end of the next look that begins. */
  #waiting: (() => void)[] = []
  #failures = 0
  #unlisted: unknown[] = []
  /** Something was sent to it since the last look. */
  #used = false
  /** Until when somebody watches it. */
  #watchedMs = Number.NEGATIVE_INFINITY

  constructor(spec: NodeSpec, pace: Pace, options: WatchOptions) {
    this.spec = spec
    this.pace = pace
    this.#options = options
    this.first = this.#begin()
  }

  /** Something is sent to it: what it has in memory may be another in a moment. */
  used(): void {
    if (this.#used) return
    this.#used = true
    this.#dueWithin(this.pace.busyMs)
  }

  /** Somebody has it on a screen, and will say so again. */
  watched(): void {
    this.#watchedMs = performance.now() + WATCHED_MS
    if (this.#failures === 0) this.#dueWithin(this.pace.watchedMs)
  }

  /** Something was seen that its last reading does not tell. */
  soon(): void {
    this.#inDoubt = true
    if (this.#look) this.#again = true
    else this.#schedule(SOON_MS)
  }

  /** Resolves at the end of a look that has not begun yet. */
  fresh(): Promise<void> {
    const {promise, resolve} = Promise.withResolvers<void>()
    this.#waiting.push(resolve)
    this.#inDoubt = true
    if (this.#look) this.#again = true
    else this.#schedule(0)
    return promise
  }

  /** Resolves when its catalogue has been read of late; undefined: it has. */
  current(): Promise<void> | undefined {
    const ageMs = performance.now() - this.#catalogueMs
    const old = this.#inDoubt || ageMs >= this.pace.busyMs
    if (this.reading?.kind !== 'up' || !old) return undefined
    return this.#look?.whole ? this.#look.done : this.fresh()
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

  #begin(): Promise<void> {
    const old = performance.now() - this.#catalogueMs >= this.pace.catalogueMs
    const whole = this.#inDoubt || old || this.reading?.kind !== 'up'
    const done = this.#lookNow(whole)
    this.#look = {whole, done}
    return done
  }

  async #lookNow(whole: boolean): Promise<void> {
    this.#again = false
    if (whole) this.#inDoubt = false
    this.#used = false
    const waiting = this.#waiting.splice(0)
    try {
      const beganMs = performance.now()
      const {reading, tags, ps} = await this.#read(whole)
      if (this.#stop.signal.aborted) return
      this.reading = reading
      this.#failures = reading.kind === 'up' ? 0 : this.#failures + 1
      if (reading.kind === 'up') {
        if (whole) this.#catalogueMs = beganMs
        this.tags = tags
        this.ps = ps
        if (!whole && !this.#explains(ps)) this.#inDoubt = this.#again = true
      } else this.ps = []
      this.#options.onReading(reading)
    } catch {
      // Only when it is no longer watched.
    } finally {
      this.#look = undefined
      for (const told of waiting) told()
      if (!this.#stop.signal.aborted) this.#schedule(this.#again ? SOON_MS : this.#pauseMs())
    }
  }

  async #read(whole: boolean) {
    const {signal} = this.#stop
    try {
      this.upstream ??= openUpstream(await this.#options.endpointOf(this.spec))
    } catch (error) {
      return {reading: downReading(this.spec.name, error), tags: [], ps: []}
    }
    const read = await readWhole(this.upstream.endpoint, this.spec.name, {
      signal,
      timeoutMs: READ_MS,
      ...(whole ? {} : {known: this.#known()}),
    })
    // The embedded node may come back on another port.
    if (read.reading.kind === 'down' && this.spec.kind === 'embedded') {
      void this.upstream.retire()
      this.upstream = undefined
    }
    return read
  }

  #known(): Known | undefined {
    const {reading, tags} = this
    if (reading?.kind !== 'up') return undefined
    return {reading, tags, ageMs: performance.now() - this.#catalogueMs}
  }

  /** False: it has in memory what the catalogue does not list, so that has changed. Once is enough for each such change. */
  #explains(ps: readonly Entry[]): boolean {
    const unlisted = ps.filter(({digest}) => !this.tags.some((tag) => tag.digest === digest))
    const digests = unlisted.map(({digest}) => digest)
    const known = isDeepStrictEqual(digests, this.#unlisted)
    this.#unlisted = digests
    return known || digests.length === 0
  }

  #pauseMs(): number {
    const {pace} = this
    return pauseAfter({failures: this.#failures, interest: this.#interest()}, pace, Math.random())
  }

  #interest(): Interest {
    if (performance.now() < this.#watchedMs) return 'watched'
    return this.#used || this.#options.inFlight(this.spec.name) > 0 ? 'busy' : 'idle'
  }

  /** The next look comes no later than that. */
  #dueWithin(ms: number): void {
    if (!this.#look && this.#dueMs > performance.now() + ms) this.#schedule(ms)
  }

  #schedule(ms: number): void {
    clearTimeout(this.#timer)
    this.#dueMs = performance.now() + ms
    this.#timer = setTimeout(() => void this.#begin(), ms)
  }
}
