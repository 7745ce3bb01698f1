import type {LiveTotals} from '../../cluster/live.ts'
import type {RequestRecord} from '../../cluster/request-record.ts'

/** Rates are those of so many seconds. */
const WINDOW = 5
/** One a second: five minutes. */
const HISTORY = 300
/** First tokens of so many answers make the percentiles, as far as they are not older than so many ms. */
const FIRSTS = 512
const FIRSTS_MS = 30_000

type Load = Required<Pick<LiveTotals, 'inFlight' | 'waiting'>>

interface Second {
  requests: number
  errors: number
  tokens: number
}

/** Sums of the fleet, second by second. A request that ends costs it a few additions. */
export class Totals {
  readonly #seconds: Second[] = []
  #now: Second = {requests: 0, errors: 0, tokens: 0}
  #history: LiveTotals[] = []
  readonly #firsts: {readonly atMs: number; readonly ms: number}[] = []
  #nextFirst = 0
  /** Tokens of the last seconds by node, the latest first. */
  readonly #byNode = new Map<string, number[]>()

  /** An inference has ended; `streams`: its first byte came with its first token. */
  ended({outcome, firstByteMs, atMs, totalMs}: RequestRecord, streams: boolean): void {
    this.#now.requests++
    if (outcome === 'failed' || outcome === 'refused') this.#now.errors++
    if (!streams || firstByteMs === undefined) return
    this.#firsts[this.#nextFirst] = {atMs: atMs + totalMs, ms: firstByteMs}
    this.#nextFirst = (this.#nextFirst + 1) % FIRSTS
  }

  /** A second is over, in which these tokens were written, by node. */
  second(tokens: ReadonlyMap<string, number>, {inFlight, waiting}: Load, atMs: number): void {
    for (const count of tokens.values()) this.#now.tokens += count
    this.#seconds.unshift(this.#now)
    this.#seconds.splice(WINDOW)
    this.#now = {requests: 0, errors: 0, tokens: 0}
    this.#noteNodes(tokens)
    this.#history.push({...this.#rates(), ...this.#first(atMs), inFlight, waiting, atMs})
    if (this.#history.length > HISTORY) this.#history = this.#history.slice(-HISTORY)
  }

  /** Those of the last minutes, the oldest first. */
  get history(): readonly LiveTotals[] {
    return this.#history
  }

  /** As they are now. */
  now({inFlight, waiting}: Load, atMs: number): LiveTotals {
    return {...this.#history.at(-1), inFlight, waiting, atMs}
  }

  /** Of a node's answers. */
  tokensPerS(node: string): number {
    const counts = this.#byNode.get(node)
    return counts ? rounded(sum(counts) / WINDOW) : 0
  }

  #noteNodes(tokens: ReadonlyMap<string, number>): void {
    for (const node of tokens.keys()) if (!this.#byNode.has(node)) this.#byNode.set(node, [])
    for (const [node, counts] of this.#byNode) {
      counts.unshift(tokens.get(node) ?? 0)
      counts.splice(WINDOW)
      if (sum(counts) === 0) this.#byNode.delete(node)
    }
  }

  #rates() {
    const per = (of: keyof Second) => rounded(sum(this.#seconds.map((one) => one[of])) / WINDOW)
    return {tokensPerS: per('tokens'), requestsPerS: per('requests'), errorsPerS: per('errors')}
  }

  #first(nowMs: number): Pick<LiveTotals, 'firstTokenMs'> {
    const times = this.#firsts.flatMap(({atMs, ms}) => (nowMs - atMs < FIRSTS_MS ? [ms] : []))
    if (times.length === 0) return {}
    times.sort((a, b) => a - b)
    const at = (share: number) => Math.round(times[Math.ceil(share * times.length) - 1] ?? 0)
    return {firstTokenMs: {p50: at(0.5), p95: at(0.95)}}
  }
}

const sum = (numbers: readonly number[]) => numbers.reduce((all, one) => all + one, 0)
const rounded = (number: number) => Math.round(number * 100) / 100
