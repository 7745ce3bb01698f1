import type {Dispatcher} from '../../balancer/dispatcher.ts'
import type {FleetPulse} from '../../balancer/fleet-view.ts'
import {routePlanOf} from '../../balancer/route-plan.ts'
import {EventRing} from '../../cluster/fleet-changes.ts'
import type {FleetEvent} from '../../cluster/fleet-event.ts'
import type {LiveRequest, LiveTotals} from '../../cluster/live.ts'
import type {RequestDecision} from '../../cluster/live-actions.ts'
import type {RequestRecord} from '../../cluster/request-record.ts'
import {steadyMs} from '../clock.ts'
import type {Decisions} from '../decisions.ts'
import type {Fleet} from '../fleet.ts'
import {WATCHED_MS} from '../pace.ts'
import type {LiveDoor, LiveLook} from './door.ts'
import {KnownNodes} from './known-nodes.ts'
import {KnownRequests} from './known-requests.ts'
import {Plans, shortened} from './plans.ts'
import {endedRequest} from './requests.ts'
import {Totals} from './totals.ts'

export interface LiveBoardOptions {
  readonly fleet: () => Pick<Fleet, 'nodes' | 'watched'>
  readonly dispatcher: () => Dispatcher
  readonly decisions: Decisions
  /** Those that answer clients. */
  readonly front: () => LiveSource
}

/** What those know of requests who answer clients; whoever is gone is left out. */
export interface LiveSource {
  /** The inferences that wait or run. */
  requests(): readonly LiveRequest[] | Promise<readonly LiveRequest[]>
  /** Tokens that nodes have written since it was asked last. */
  tokens(): ReadonlyMap<string, number>
  /** As in `LiveDoor`. */
  cancel(requestId: string): boolean | Promise<boolean>
}

const SECOND_MS = 1000
/** Several that watch share what was looked up so short a while ago. */
const SHARED_MS = 200
const EVENTS = 500

/**
 * The fleet as it is shown to those who watch it. While nobody does it only sums up: a few additions when a request ends,
 * and once a second what has become of the nodes. What is new is found when somebody looks, by comparing; each says up
 * to where he has seen everything, so nothing is kept for anybody, however slow he is.
 */
export class LiveBoard implements LiveDoor {
  readonly #options: LiveBoardOptions
  readonly #totals = new Totals()
  readonly #events = new EventRing(EVENTS)
  readonly #nodes = new KnownNodes()
  readonly #requests: KnownRequests
  readonly #plans = new Plans()
  readonly #timer: NodeJS.Timeout
  /** Counts the refreshes: what changed at one has its number. */
  #turn = 0
  /** How many events there were at each of the latest turns. */
  readonly #eventsAt = new Map<number, number>()
  /** As of the last refresh. */
  #pulse: Pick<FleetPulse, 'inFlight' | 'waiting'> = {inFlight: 0, waiting: 0}
  #refreshing: Promise<void> | undefined
  #refreshedMs = Number.NEGATIVE_INFINITY
  #lookedMs = Number.NEGATIVE_INFINITY

  constructor(options: LiveBoardOptions) {
    this.#options = options
    this.#requests = new KnownRequests(options.decisions)
    this.#timer = setInterval(() => this.#second(), SECOND_MS)
    this.#timer.unref()
  }

  /** An inference has ended. */
  ended(record: RequestRecord, streams: boolean): void {
    this.#totals.ended(record, streams)
  }

  /** Something has happened that only somebody else can know. */
  event(event: FleetEvent): void {
    this.#events.add(event)
  }

  /** The totals of the last minutes, the oldest first. */
  history(): readonly LiveTotals[] {
    return this.#totals.history
  }

  async look(cursor?: number): Promise<LiveLook> {
    const nowMs = performance.now()
    if (nowMs - this.#lookedMs > WATCHED_MS) this.#options.dispatcher().watch(this.#plans.add)
    this.#lookedMs = nowMs
    if (nowMs - this.#refreshedMs >= SHARED_MS) {
      this.#refreshing ??= this.#refresh().finally(() => {
        this.#refreshing = undefined
      })
      await this.#refreshing
    }
    return {cursor: this.#turn, frame: this.#frame(cursor)}
  }

  async decision(requestId: string): Promise<RequestDecision | undefined> {
    const running = await this.#options.front().requests()
    const found = this.#options.decisions.find(requestId)
    const request =
      running.find(({id}) => id === requestId) ?? (found && endedRequest(found.record))
    if (!request) return undefined
    const then = this.#plans.of(requestId)
    if (then) return {request, plan: then, planIs: 'then'}
    if (!found?.asked) return {request}
    const {asked} = found
    const plan = routePlanOf(asked, this.#options.dispatcher().explain(asked, steadyMs()))
    return {request, plan: shortened(plan), planIs: 'now'}
  }

  async cancel(requestId: string): Promise<boolean> {
    return this.#options.front().cancel(requestId)
  }

  close(): void {
    clearInterval(this.#timer)
  }

  #second(): void {
    const {fleet, dispatcher, front} = this.#options
    const atMs = Date.now()
    const pulse = dispatcher().pulse(steadyMs())
    this.#totals.second(front().tokens(), pulse, atMs)
    this.#events.add(...this.#nodes.events(fleet().nodes(), pulse, atMs))
    if (performance.now() - this.#lookedMs > WATCHED_MS) dispatcher().watch(undefined)
  }

  async #refresh(): Promise<void> {
    const {fleet, dispatcher, front} = this.#options
    const running = await front().requests()
    const turn = ++this.#turn
    const nodes = fleet().nodes()
    fleet().watched()
    const pulse = dispatcher().pulse(steadyMs())
    this.#pulse = pulse
    this.#nodes.refresh(nodes, {
      ...{turn, pulse},
      tokensPerS: (node) => this.#totals.tokensPerS(node),
    })
    this.#events.add(...this.#nodes.events(nodes, pulse, Date.now()))
    this.#requests.refresh(running, turn)
    this.#eventsAt.set(turn, this.#events.count)
    this.#eventsAt.delete(turn - REMEMBERED)
    this.#refreshedMs = performance.now()
  }

  #frame(cursor: number | undefined): LiveLook['frame'] {
    const atMs = Date.now()
    const known = cursor === undefined ? undefined : this.#eventsAt.get(cursor)
    const since = known === undefined || cursor === undefined ? 0 : cursor
    const whole = since === 0
    return {
      atMs,
      whole,
      ...this.#nodes.since(since),
      requests: this.#requests.since(since),
      events: this.#events.since(whole ? 0 : (known ?? 0)),
      totals: this.#totals.now(this.#pulse, atMs),
      ...(whole ? {history: this.history()} : {}),
    }
  }
}

/** Whoever was away for more refreshes than that is told everything anew. */
const REMEMBERED = 240
