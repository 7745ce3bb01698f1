import type {LoadedModel, ModelTag} from '../cluster/reading.ts'
import type {Residency} from './candidates.ts'
import type {DispatchRequest} from './dispatch-request.ts'
import type {DispatchLimits} from './limits.ts'

/** A load that takes longer than expected is expected to take this much of its time so far once more. */
const OVERDUE_SHARE = 0.25

type Loaded = Pick<LoadedModel, 'sizeBytes' | 'vramBytes' | 'contextLength'>
type Asked = Pick<DispatchRequest, 'numCtx' | 'canSetNumCtx'>

/**
 * Whether a model is in a node's memory, and with which context: from readings, and from what requests of ours have
 * done since, because a loading model is in no reading.
 */
export class Residence {
  readonly #keep: boolean
  #loaded: Loaded | undefined
  #load: {readonly sinceMs: number; readonly untilMs: number; readonly numCtx?: number} | undefined
  /** When we last knew better than a reading. */
  #changedMs = Number.NEGATIVE_INFINITY
  /** The context that it is loaded with when nobody asks for one. */
  #defaultCtx: number | undefined

  constructor({numCtx}: Pick<DispatchLimits, 'numCtx'>) {
    this.#keep = numCtx === 'loaded'
  }

  get loaded(): Loaded | undefined {
    return this.#loaded
  }

  get loading(): boolean {
    return this.#load !== undefined
  }

  /** True: no load is under way, or it should be over by now. */
  loadOver(nowMs: number): boolean {
    return !this.#load || nowMs >= this.#load.untilMs
  }

  /** What is left of the load that is under way, ms. */
  loadLeftMs(nowMs: number): number {
    if (!this.#load) return 0
    const {sinceMs, untilMs} = this.#load
    return Math.max(untilMs - nowMs, OVERDUE_SHARE * Math.max(0, nowMs - sinceMs), 0)
  }

  /** What such a request finds. */
  for({numCtx, canSetNumCtx}: Asked): Residency {
    if (!this.#load && !this.#loaded) return 'cold'
    const there = this.#load ? 'loading' : 'loaded'
    const has = this.#context()
    const wants = numCtx ?? (canSetNumCtx ? undefined : this.#defaultCtx)
    if (has === undefined || wants === undefined || wants === has) return there
    return canSetNumCtx && this.#keep && wants < has ? there : 'reload'
  }

  /** The context that such a request must carry so that it reloads nothing; undefined: none of ours. */
  numCtxFor({numCtx, canSetNumCtx}: Asked): number | undefined {
    if (!canSetNumCtx) return undefined
    const has = this.#context()
    if (has === undefined) return numCtx
    if (numCtx === undefined) return has
    return this.#keep && numCtx <= has ? has : numCtx
  }

  /** What a reading of that time says. Returns true if what was evaluated before is lost. */
  read(seen: Loaded | undefined, atMs: number, nowMs: number): boolean {
    if (atMs < this.#changedMs) return false
    if (!seen) {
      // While it loads, it is not seen.
      if (this.#load || !this.#loaded) return false
      this.#loaded = undefined
      return true
    }
    const other = this.#loaded !== undefined && this.#loaded.contextLength !== seen.contextLength
    // While it is loaded anew, the old one is still seen.
    if (this.#load && this.#loaded && !other) return false
    if (this.#load && this.#load.numCtx === undefined) this.#defaultCtx = seen.contextLength
    const began = this.#load !== undefined
    this.#loaded = seen
    this.#load = undefined
    if (began) this.#changedMs = nowMs
    return other
  }

  /** A request of ours makes the node load it. */
  start(loadMs: number, numCtx: number | undefined, nowMs: number): void {
    const load = {sinceMs: nowMs, untilMs: nowMs + loadMs}
    this.#load = numCtx === undefined ? load : {...load, numCtx}
    this.#changedMs = nowMs
  }

  /** An answer has begun, so it is in memory. */
  answered({sizeBytes}: ModelTag, nowMs: number): void {
    if (!this.#load && this.#loaded) return
    const contextLength = this.#load?.numCtx
    this.#loaded = {
      sizeBytes: this.#loaded?.sizeBytes ?? sizeBytes,
      vramBytes: this.#loaded?.vramBytes ?? 0,
      ...(contextLength === undefined ? {} : {contextLength}),
    }
    this.#load = undefined
    this.#changedMs = nowMs
  }

  /** It is not in memory any more, or has not come into it. */
  gone(nowMs: number): void {
    this.#loaded = undefined
    this.#load = undefined
    this.#changedMs = nowMs
  }

  #context(): number | undefined {
    return this.#load ? this.#load.numCtx : this.#loaded?.contextLength
  }
}
