import type {FleetEvent} from '../../cluster/fleet-event.ts'
import type {LiveFrame, LiveNode, LiveTotals, MachineReading} from '../../cluster/live.ts'
import type {LiveHooks} from '../../cluster/live-actions.ts'
import {takeFrame} from '../../cluster/live-node.ts'

/** What was gathered is shown so often at most. */
const EVERY_MS = 250

/**
 * Puts together what comes from several places, the source of the frames and the machines themselves, so that whoever
 * watches hears one voice: a node comes always whole, with what its machine has told last.
 */
export class Stage {
  readonly #show: LiveHooks['onFrame']
  readonly #machines = new Map<string, MachineReading>()
  /** As they were shown last. */
  readonly #nodes = new Map<string, LiveNode>()
  #totals: LiveTotals = {atMs: Date.now(), inFlight: 0}
  readonly #changed = new Set<string>()
  #events: FleetEvent[] = []
  #timer: NodeJS.Timeout | undefined

  constructor(show: LiveHooks['onFrame']) {
    this.#show = show
  }

  /** A frame of the source. */
  frame(frame: LiveFrame): void {
    takeFrame(this.#nodes, frame)
    this.#totals = frame.totals
    const also = frame.whole ? [] : [...this.#changed].filter((name) => !named(frame, name))
    const nodes = [...frame.nodes, ...this.#now(also)].map((node) => this.#withMachine(node))
    this.#show({...frame, nodes, events: [...this.#events.splice(0), ...frame.events]})
    this.#changed.clear()
    this.#cancel()
  }

  /** A machine has told something; undefined: it tells nothing any more. */
  machine(node: string, reading: MachineReading | undefined): void {
    if (reading) this.#machines.set(node, reading)
    else if (!this.#machines.delete(node)) return
    this.#changed.add(node)
    this.#soon()
  }

  /** Something has happened that no source tells. */
  event(event: FleetEvent): void {
    this.#events.push(event)
    this.#soon()
  }

  close(): void {
    this.#cancel()
  }

  #soon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      const nodes = this.#now([...this.#changed]).map((node) => this.#withMachine(node))
      this.#changed.clear()
      const events = this.#events.splice(0)
      if (nodes.length === 0 && events.length === 0) return
      const atMs = Date.now()
      this.#show({atMs, whole: false, nodes, requests: [], events, totals: this.#totals})
    }, EVERY_MS)
  }

  #cancel(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #now(names: readonly string[]): LiveNode[] {
    return names.flatMap((name) => this.#nodes.get(name) ?? [])
  }

  #withMachine(node: LiveNode): LiveNode {
    const machine = this.#machines.get(node.name)
    return machine ? {...node, machine} : node
  }
}

const named = ({nodes}: LiveFrame, name: string) => nodes.some((node) => node.name === name)
