import type {FleetEvent} from '../../src/lib/cluster/fleet-event.ts'
import type {LiveFrame, LiveLink, LiveNode, LiveRequest} from '../../src/lib/cluster/live.ts'
import type {WatchFleet} from '../../src/lib/cluster/live-actions.ts'
import {type WatchFleetOptions, watchFleet} from '../../src/lib/jobs/live/watch-fleet.ts'
import {makeTools} from '../../src/lib/jobs/make-tools.ts'
import type {Tools} from '../../src/lib/jobs/tools.ts'
import {waitFor} from './wait-for.ts'

/** What somebody sees who watches the cluster of that home, as the dashboard would put it together. */
export class Watcher {
  readonly tools: Tools
  readonly frames: LiveFrame[] = []
  readonly links: LiveLink[] = []
  readonly events: FleetEvent[] = []
  nodes = new Map<string, LiveNode>()
  requests = new Map<string, LiveRequest>()
  order: readonly string[] = []
  readonly ended: Promise<void>
  readonly #stop = new AbortController()
  readonly #tools = new AbortController()

  constructor(env: NodeJS.ProcessEnv, options: Partial<WatchFleetOptions> = {}) {
    this.tools = makeTools({env, signal: this.#tools.signal})
    const watch: WatchFleet = (hooks) =>
      watchFleet(this.tools, {machines: false, ...options, ...hooks})
    this.ended = watch({
      signal: this.#stop.signal,
      onFrame: (frame) => this.#take(frame),
      onLink: (link) => this.links.push(link),
    })
    this.ended.catch(() => {})
  }

  node(name: string): LiveNode | undefined {
    return this.nodes.get(name)
  }

  /** Resolves when the link is like that. */
  async link(what: string, is: (link: LiveLink) => boolean, timeoutMs = 15_000): Promise<void> {
    await waitFor(what, () => this.links.some(is) && is(this.links.at(-1) as LiveLink), {timeoutMs})
  }

  /** How the watch came to its end. */
  async stop(): Promise<void> {
    this.#stop.abort()
    await this.ended
    this.#tools.abort()
    await this.tools.close()
  }

  #take(frame: LiveFrame): void {
    this.frames.push(frame)
    if (frame.whole) {
      this.nodes = new Map()
      this.requests = new Map()
    }
    for (const node of frame.nodes) this.nodes.set(node.name, node)
    for (const request of frame.requests) this.requests.set(request.id, request)
    if (frame.order) {
      this.order = frame.order
      for (const name of this.nodes.keys()) if (!frame.order.includes(name)) this.nodes.delete(name)
    }
    this.events.push(...frame.events)
  }
}

export const fromGateway = ({state, source}: LiveLink) =>
  state === 'live' && source.kind === 'gateway'
export const fromNodes = ({state, source}: LiveLink) => state === 'live' && source.kind === 'nodes'
