import type {DispatchRequest} from '../balancer/dispatch-request.ts'
import type {RecordedAsk, RecordedRequest} from '../cluster/recording.ts'
import type {RequestRecord} from '../cluster/request-record.ts'
import type {DecisionRecord} from '../cluster/routing.ts'

/** So many are kept: about half a megabyte, and at most 2 KB more for each long prompt's hashes. */
const KEPT = 1000

/** What became of the latest requests for a model; the oldest goes when a new one comes. */
export class Decisions {
  readonly #ring: RequestRecord[] = []
  /** What each of them asked for; undefined where the dispatcher never heard of it. */
  readonly #asked: (DispatchRequest | undefined)[] = []
  readonly #kept: number
  #next = 0
  /** How many there were in all, those that are gone too. */
  count = 0

  constructor(kept = KEPT) {
    this.#kept = kept
  }

  /** Keeps both as they are: nothing is made anew for a request that nobody asks about. */
  add(record: RequestRecord, asked?: DispatchRequest): void {
    this.#ring[this.#next] = record
    this.#asked[this.#next] = asked
    this.#next = (this.#next + 1) % this.#kept
    this.count++
  }

  /** The records of those that came after so many: at most `most`, the latest first, as far as they are kept. */
  since(count: number, most: number): RequestRecord[] {
    const news = Math.min(this.count - count, most)
    return news <= 0 ? [] : this.#latest(news, (at) => this.#ring[at])
  }

  /** What became of a request, and what it had asked for. */
  find(
    requestId: string,
  ): {readonly record: RequestRecord; readonly asked: DispatchRequest | undefined} | undefined {
    const at = this.#ring.findIndex((record) => record.requestId === requestId)
    const record = this.#ring[at]
    return record && {record, asked: this.#asked[at]}
  }

  /** At most `most`, the latest first, of models that the asker may use. */
  latest(most: number, mayUse: (model: string) => boolean): DecisionRecord[] {
    return this.#latest(most, (at) => {
      const record = this.#ring[at]
      return record?.model !== undefined && mayUse(record.model) ? shown(record) : undefined
    })
  }

  /** Those of them that a replay can submit again, in the order of their coming. */
  recorded(most: number, mayUse: (model: string) => boolean): RecordedRequest[] {
    const told = {sessions: new Numbers<string>(), blocks: new Numbers<number>()}
    const found = this.#latest(most, (at) => {
      const [record, asked] = [this.#ring[at], this.#asked[at]]
      const may = record?.model !== undefined && asked !== undefined && mayUse(record.model)
      return may ? {...shown(record), asked: recordedAsk(asked, told)} : undefined
    })
    // They are kept in the order of their ends.
    return found.reverse().sort((a, b) => Date.parse(a.at) - Date.parse(b.at))
  }

  #latest<T>(most: number, pick: (at: number) => T | undefined): T[] {
    const found: T[] = []
    const {length} = this.#ring
    for (let back = 1; back <= length && found.length < most; back++) {
      const one = pick((this.#next - back + this.#kept) % this.#kept)
      if (one !== undefined) found.push(one)
    }
    return found
  }
}

/** Stands for each value by a number of its own: what is the same can be seen, what it is cannot. */
class Numbers<T> {
  readonly #known = new Map<T, number>()

  of(value: T): number {
    const known = this.#known.get(value) ?? this.#known.size + 1
    this.#known.set(value, known)
    return known
  }
}

/** What clients call their sessions stays here, and so do hashes, by which a prompt could be guessed. */
function recordedAsk(
  asked: DispatchRequest,
  told: {readonly sessions: Numbers<string>; readonly blocks: Numbers<number>},
): RecordedAsk {
  const {session} = asked
  return {
    key: asked.tenant,
    priority: asked.priority,
    weight: asked.weight ?? 1,
    session: session === undefined ? null : `s${told.sessions.of(session)}`,
    promptTokens: asked.promptTokens,
    maxAnswerTokens: asked.maxAnswerTokens ?? null,
    numCtx: asked.numCtx ?? null,
    needs: asked.needs ?? null,
    only: asked.only ?? null,
    streams: asked.streams ?? false,
    canSetNumCtx: asked.canSetNumCtx,
    prefix: asked.prefix.map((hash) => told.blocks.of(hash)),
    blockTokens: asked.blockTokens,
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
