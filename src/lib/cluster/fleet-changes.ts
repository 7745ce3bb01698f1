import type {FleetEvent} from './fleet-event.ts'
import type {LiveNode} from './live.ts'

/** What of a node makes an event when it becomes another. */
export type NodeFacts = Pick<
  LiveNode,
  'name' | 'drained' | 'state' | 'reason' | 'breaker' | 'loaded'
>

/**
 * What has happened to a node between two looks, in the order in which it is best told. `before` undefined: it has just
 * been added; `after` undefined: it was removed. That a node answers which nobody had looked at yet is no event.
 */
export function nodeEvents(
  before: NodeFacts | undefined,
  after: NodeFacts | undefined,
  atMs: number,
): FleetEvent[] {
  const at = new Date(atMs).toISOString()
  const node = (after ?? before)?.name ?? ''
  const events: FleetEvent[] = []
  const tell = (event: FleetEvent['event'], text: string) => events.push({at, event, node, text})
  if (!before) tell('added', `${node} is a node of the cluster now`)
  if (!after) tell('removed', `${node} is no node of the cluster any more`)
  if (!before || !after) return events
  if (before.drained !== after.drained)
    if (after.drained) tell('drained', `${node} is drained: no new request goes there`)
    else tell('undrained', `${node} takes requests again`)
  if (before.state !== after.state) {
    if (after.state === 'down')
      tell('down', `${node} does not answer: ${after.reason ?? 'unknown'}`)
    else if (after.state === 'up' && before.state === 'down') tell('up', `${node} answers again`)
  }
  const [was = 'closed', is = 'closed'] = [before.breaker, after.breaker]
  if (was === 'closed' && is !== 'closed') tell('opened', `${node} has failed and is spared`)
  if (was !== 'closed' && is === 'closed') tell('closed', `${node} is no longer spared`)
  // Of a node that does not answer nobody knows what it has in memory.
  if (before.state !== 'up' || after.state !== 'up') return events
  const [had, has] = [namesOf(before), namesOf(after)]
  for (const model of has)
    if (!had.has(model)) tell('loaded', `${node} has loaded ${model} into memory`)
  for (const model of had)
    if (!has.has(model)) tell('unloaded', `${node} has ${model} no longer in memory`)
  return events
}

const namesOf = ({loaded}: NodeFacts) => new Set(loaded.map(({name}) => name))

/** The latest events; older ones go. */
export class EventRing {
  readonly #most: number
  #events: FleetEvent[] = []
  /** How many there were in all, those that are gone too. */
  #count = 0

  constructor(most: number) {
    this.#most = most
  }

  get count(): number {
    return this.#count
  }

  add(...events: readonly FleetEvent[]): void {
    this.#count += events.length
    this.#events.push(...events)
    if (this.#events.length > this.#most) this.#events = this.#events.slice(-this.#most)
  }

  /** Those that came after so many, the oldest first, as far as they are still there. */
  since(count: number): readonly FleetEvent[] {
    const news = Math.min(this.#events.length, this.#count - count)
    return news <= 0 ? [] : this.#events.slice(-news)
  }
}
