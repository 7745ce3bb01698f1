import type {
  DispatchRequest,
  DispatchSink,
  Outcome,
  Refusal,
  SendOrder,
} from '../../balancer/dispatch-request.ts'
import type {Dispatcher} from '../../balancer/dispatcher.ts'
import {IdTable} from '../../cluster/id-table.ts'
import {steadyMs} from '../../gateway/clock.ts'
import type {DispatchDoor} from '../../gateway/hub.ts'
import type {WorkerDesk} from './desks.ts'
import type {Link} from './link.ts'

/** One worker at the switchboard. */
export interface Line {
  readonly link: Pick<Link<WorkerDesk>, 'tell'>
  /** By the worker's own ids: the dispatcher's. */
  readonly ids: IdTable<number>
  /** What was asked for, by the worker's own ids, until the request has ended. */
  readonly asked: IdTable<DispatchRequest>
}

interface Seat {
  readonly line: Line
  /** The worker's own id. */
  readonly own: number
}

type Decider = Pick<Dispatcher, keyof DispatchDoor>

/** How often the dispatcher is told that time goes by. */
const TICK_MS = 250

/**
 * Joins all workers to the one dispatcher: their requests get ids that are unique among all, and what is decided goes
 * to the worker that has the request.
 */
export class Switchboard implements DispatchSink {
  readonly #seats = new IdTable<Seat>()
  readonly #timer: NodeJS.Timeout
  readonly #sent: (node: string) => void
  #dispatcher: Decider | undefined
  #lastId = 0

  /** `sent`: a worker is about to send something to this node. */
  constructor(sent: (node: string) => void) {
    this.#sent = sent
    this.#timer = setInterval(() => this.#dispatcher?.tick(steadyMs()), TICK_MS)
  }

  /** Must come before the first `submit`. */
  use(dispatcher: Decider): void {
    this.#dispatcher = dispatcher
  }

  /** Inferences that wait or run; a hedge counts as one more. */
  get size(): number {
    return this.#seats.size
  }

  submit(line: Line, request: DispatchRequest): void {
    const id = ++this.#lastId
    this.#seat(id, {line, own: request.id})
    // Later legs of an answer have negative ids; what was asked for is what the first one did.
    if (request.id > 0) line.asked.set(request.id, request)
    this.#dispatcher?.submit({...request, id}, steadyMs())
  }

  /** A request has ended, and was told so to everybody. Returns what it asked for, if it was submitted. */
  ended({asked}: Line, own: number): DispatchRequest | undefined {
    const request = asked.get(own)
    asked.delete(own)
    return request
  }

  /** Asks for a second attempt beside a first one; `ownHedge`: the worker's id for it. */
  hedge(line: Line, own: number, ownHedge: number): SendOrder | undefined {
    const id = line.ids.get(own)
    if (id === undefined) return undefined
    const hedgeId = ++this.#lastId
    const to = this.#dispatcher?.hedge(id, hedgeId, steadyMs())
    if (!to) return undefined
    this.#seat(hedgeId, {line, own: ownHedge})
    this.#sent(to.node)
    return to
  }

  began({ids}: Line, own: number): void {
    const id = ids.get(own)
    if (id !== undefined) this.#dispatcher?.began(id, steadyMs())
  }

  settle({ids}: Line, own: number, outcome: Outcome): void {
    const id = ids.get(own)
    if (id === undefined) return
    // After a failure the dispatcher has the next word.
    const over = outcome.kind !== 'failed'
    if (over) this.#forget(id)
    this.#dispatcher?.settle(id, outcome, steadyMs())
    // Had it been sent to nobody yet, it would still wait, and be sent without anybody who knows it.
    if (over) this.#dispatcher?.cancel(id, steadyMs())
  }

  cancel({ids}: Line, own: number): void {
    const id = ids.get(own)
    if (id === undefined) return
    this.#forget(id)
    this.#dispatcher?.cancel(id, steadyMs())
  }

  /** The worker is gone: nobody waits for its requests any more, and their slots are free. Returns how many there were. */
  drop({ids}: Line): number {
    const all = [...ids.values()]
    // All are forgotten first: what is freed must not be given to another one of the dead.
    for (const id of all) this.#forget(id)
    for (const id of all) this.#dispatcher?.cancel(id, steadyMs())
    return all.length
  }

  send(id: number, to: SendOrder): void {
    const seat = this.#seats.get(id)
    if (!seat) return
    this.#sent(to.node)
    seat.line.link.tell('send', seat.own, to)
  }

  queued(id: number, place: {readonly position: number; readonly expectedMs: number}): void {
    const seat = this.#seats.get(id)
    seat?.line.link.tell('queued', seat.own, place)
  }

  refuse(id: number, why: Refusal): void {
    const seat = this.#seats.get(id)
    this.#forget(id)
    seat?.line.link.tell('refuse', seat.own, why)
  }

  close(): void {
    clearInterval(this.#timer)
  }

  #seat(id: number, seat: Seat): void {
    this.#seats.set(id, seat)
    seat.line.ids.set(seat.own, id)
  }

  #forget(id: number): void {
    const seat = this.#seats.get(id)
    if (!seat) return
    this.#seats.delete(id)
    seat.line.ids.delete(seat.own)
  }
}
