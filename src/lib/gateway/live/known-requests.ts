import type {LiveRequest} from '../../cluster/live.ts'
import type {Decisions} from '../decisions.ts'
import {endedRequest} from './requests.ts'

/** Of those that have ended so many are told at once, the latest. */
const ENDED = 200
/** Of those that wait or run so many are told, the oldest. */
const OPEN = 1000
/** How long one waits is told anew after so many refreshes. */
const AGAIN = 2

interface Known {
  readonly request: LiveRequest
  /** The refresh that found it so. */
  readonly turn: number
}

/** Requests as they were found last: those that wait or run, and the latest that have ended. */
export class KnownRequests {
  readonly #decisions: Decisions
  #open = new Map<string, Known>()
  #ended: Known[] = []
  #seen: number

  constructor(decisions: Decisions) {
    this.#decisions = decisions
    this.#seen = 0
  }

  /** `running`: all that wait or run now. */
  refresh(running: readonly LiveRequest[], turn: number): void {
    const records = this.#decisions.since(this.#seen, ENDED)
    this.#seen = this.#decisions.count
    const ended = new Map(records.map((record) => [record.requestId, endedRequest(record)]))
    const before = this.#open
    this.#open = new Map()
    const told = running.length > OPEN ? [...running].sort((a, b) => a.atMs - b.atMs) : running
    for (const request of told.slice(0, OPEN)) {
      if (ended.has(request.id)) continue
      const known = before.get(request.id)
      const same = known && isSame(known.request, request, turn - known.turn)
      this.#open.set(request.id, same ? known : {request, turn})
    }
    // More have ended than are kept: that it is over is all that can be said of it.
    for (const [id, {request}] of before)
      if (!this.#open.has(id) && !ended.has(id)) ended.set(id, {...request, state: 'ended'})
    const news = [...ended.values()].map((request) => ({request, turn}))
    this.#ended = [...news, ...this.#ended].slice(0, ENDED)
  }

  /** What has become another after that refresh; 0: everything. */
  since(turn: number): LiveRequest[] {
    const all = [...this.#open.values(), ...this.#ended]
    return all.flatMap((known) => (known.turn > turn ? [known.request] : []))
  }
}

function isSame(before: LiveRequest, after: LiveRequest, turns: number): boolean {
  if (after.state === 'waiting' && turns >= AGAIN) return false
  return (
    before.state === after.state &&
    before.node === after.node &&
    before.attempts === after.attempts &&
    before.firstByteMs === after.firstByteMs &&
    before.reason === after.reason
  )
}
