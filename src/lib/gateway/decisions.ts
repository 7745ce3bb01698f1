import type {RequestRecord} from '../cluster/request-record.ts'
import type {DecisionRecord} from '../cluster/routing.ts'

/** So many are kept: about half a megabyte. */
const KEPT = 1000

/** What became of the latest requests for a model; the oldest goes when a new one comes. */
export class Decisions {
  readonly #ring: RequestRecord[] = []
  readonly #kept: number
  #next = 0

  constructor(kept = KEPT) {
    this.#kept = kept
  }

  /** Keeps the record as it is: nothing is made anew for a request that nobody asks about. */
  add(record: RequestRecord): void {
    this.#ring[this.#next] = record
    this.#next = (this.#next + 1) % this.#kept
  }

  /** At most `most`, the latest first, of models that the asker may use. */
  latest(most: number, mayUse: (model: string) => boolean): DecisionRecord[] {
    const found: DecisionRecord[] = []
    const {length} = this.#ring
    for (let back = 1; back <= length && found.length < most; back++) {
      const record = this.#ring[(this.#next - back + this.#kept) % this.#kept]
      if (record?.model !== undefined && mayUse(record.model)) found.push(shown(record))
    }
    return found
  }
}

function shown(record: RequestRecord): DecisionRecord {
  return {
    id: record.requestId,
    at: new Date(record.atMs).toISOString(),
    route: record.route,
    model: record.model ?? '',
    node: record.node ?? null,
    reason: record.reason ?? null,
    attempts: record.attempts,
    queueMs: hundredths(record.queueMs),
    firstByteMs: record.firstByteMs === undefined ? null : hundredths(record.firstByteMs),
    totalMs: hundredths(record.totalMs),
    promptTokens: record.promptTokens ?? null,
    answerTokens: record.answerTokens ?? null,
    status: record.status,
    outcome: record.outcome,
  }
}

const hundredths = (ms: number) => Math.round(ms * 100) / 100
