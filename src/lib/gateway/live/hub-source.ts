import type {LiveRequest} from '../../cluster/live.ts'
import type {Exchange} from '../exchange.ts'
import type {Hub} from '../hub.ts'
import {AnswerMeter} from './answer-meter.ts'
import type {LiveSource} from './board.ts'
import {CANCELLED} from './request-page.ts'
import {liveRequest} from './requests.ts'

/** No more are told at once, the oldest. */
const MOST = 1000

/** What the hub of this process knows of its requests. */
export class HubSource implements LiveSource {
  readonly #hub: Hub
  readonly #meter: AnswerMeter

  constructor(hub: Hub) {
    this.#hub = hub
    this.#meter = new AnswerMeter(hub)
  }

  /** An inference has ended; to be called for each. */
  ended(exchange: Exchange): void {
    this.#meter.ended(exchange)
  }

  requests(): LiveRequest[] {
    const jobs = [...this.#hub.jobs].sort((a, b) => a.exchange.id - b.exchange.id)
    const nowMs = performance.now()
    return jobs.slice(0, MOST).map((job) => liveRequest(job, nowMs))
  }

  tokens(): ReadonlyMap<string, number> {
    return this.#meter.take()
  }

  cancel(requestId: string): boolean {
    return this.#hub.cancel(requestId, CANCELLED)
  }
}
