import type {TracedAttempt} from '../trace/tracing.ts'
import type {Attempt} from './attempt.ts'

/** A second attempt at a request whose first one has said nothing for too long. */
export interface Second {
  /** Under which the dispatcher knows it. */
  readonly id: number
  readonly node: string
  readonly reason: string
  readonly numCtx: number | undefined
  readonly attempt: Attempt
  readonly traced: TracedAttempt | undefined
}

/** Waits beside a first attempt for its time to come, and then keeps the second one until it is clear which one counts. */
export class Hedge {
  readonly #afterMs: number
  readonly #begin: () => void | Promise<void>
  #timer: NodeJS.Timeout | undefined
  second: Second | undefined

  /** `begin`: makes `second`, if somebody can be asked; if not, it is called again when as much time has passed since. */
  constructor(afterMs: number, begin: () => void | Promise<void>) {
    this.#afterMs = afterMs
    this.#begin = begin
    this.#wait()
  }

  /** True until it is over: a second attempt is of use. */
  get wanted(): boolean {
    return this.#timer !== undefined
  }

  /** The first attempt needs nobody beside it any more. Returns the second one, which its caller ends or goes on with. */
  over(): Second | undefined {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const {second} = this
    this.second = undefined
    return second
  }

  #wait(): void {
    this.#timer = setTimeout(async () => {
      await this.#begin()
      if (!this.second && this.#timer) this.#wait()
    }, this.#afterMs)
  }
}
