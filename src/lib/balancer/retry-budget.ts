import type {DispatchLimits} from './limits.ts'

const PARTS = 10

type Limits = Pick<
  DispatchLimits,
  'retryShare' | 'retryFloor' | 'retryWindowMs' | 'hedgeShare' | 'hedgeFloor'
>

/**
 * Keeps retries and hedges together a small share of the requests, so that a fleet which fails or is slow is not asked
 * several times as much as one that works. Counted over a sliding window in ten parts.
 */
export class RetryBudget {
  readonly #limits: Limits
  readonly #partMs: number
  readonly #requests = new Array<number>(PARTS).fill(0)
  readonly #retries = new Array<number>(PARTS).fill(0)
  readonly #hedges = new Array<number>(PARTS).fill(0)
  #part = Number.NEGATIVE_INFINITY

  constructor(limits: Limits) {
    this.#limits = limits
    this.#partMs = limits.retryWindowMs / PARTS
  }

  /** One request was submitted. */
  request(nowMs: number): void {
    const at = this.#slide(nowMs)
    this.#requests[at] = (this.#requests[at] ?? 0) + 1
  }

  /** True, and one retry is spent; or false, and there is none left now. */
  take(nowMs: number): boolean {
    const at = this.#slide(nowMs)
    if (!this.#mayRetry(nowMs)) return false
    this.#retries[at] = (this.#retries[at] ?? 0) + 1
    return true
  }

  /** The same for a hedge, of which there may be fewer. */
  takeHedge(nowMs: number): boolean {
    const at = this.#slide(nowMs)
    const {hedges, requests} = this.counts(nowMs)
    const {hedgeFloor, hedgeShare} = this.#limits
    if (hedges + 1 > Math.max(hedgeFloor, requests * hedgeShare)) return false
    if (!this.#mayRetry(nowMs)) return false
    this.#hedges[at] = (this.#hedges[at] ?? 0) + 1
    return true
  }

  #mayRetry(nowMs: number): boolean {
    const {retries, hedges, requests} = this.counts(nowMs)
    const {retryFloor, retryShare} = this.#limits
    return retries + hedges + 1 <= Math.max(retryFloor, requests * retryShare)
  }

  /** What was counted in the window that ends now. */
  counts(nowMs: number): {
    readonly requests: number
    readonly retries: number
    readonly hedges: number
  } {
    this.#slide(nowMs)
    const sum = (parts: readonly number[]) => parts.reduce((total, part) => total + part, 0)
    return {
      requests: sum(this.#requests),
      retries: sum(this.#retries),
      hedges: sum(this.#hedges),
    }
  }

  #slide(nowMs: number): number {
    const part = Math.floor(nowMs / this.#partMs)
    if (part !== this.#part) {
      // A clock that was set back starts a new window.
      const passed = part < this.#part ? PARTS : Math.min(PARTS, part - this.#part)
      for (let back = 0; back < passed; back++) {
        const at = index(part - back)
        this.#requests[at] = 0
        this.#retries[at] = 0
        this.#hedges[at] = 0
      }
      this.#part = part
    }
    return index(part)
  }
}

const index = (part: number) => ((part % PARTS) + PARTS) % PARTS
