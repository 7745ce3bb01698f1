import {Throughput} from './throughput.ts'

/** A wait at the node shorter than this says nothing: it is scheduling and network. */
const WAIT_MS = 20
/** Who waited for such a share of its time is no measure of the throughput. */
const WAITED = 0.15
/** ...and if for so much, it waited for others, whatever else there was. */
const WAITED_SURELY = 0.5
/** So many wait when they do so on average, and do not when they do so less than that. */
const WAITING = 0.1
const NOT_WAITING = 0.04
/** Answers that it takes to see that they wait, that they do not, and that this is certain. */
const TO_LOWER = 3
const TO_RAISE = 2
const TO_PROVE = 6
const NEWEST = 0.1
/** Requests this short are no measure, and waiting for one of them is none worth avoiding. */
const SHORT_MS = 20
const FIRST_RETRY_MS = 30_000
const LONGEST_RETRY_MS = 900_000

/** How one request ran, as far as it tells how many run at once. */
export interface Run {
  /** Requests of ours that were there when it came, and it. */
  readonly atOnce: number
  /** Of the node's own account: how long it waited there; undefined: it does not tell. */
  readonly queueMs: number | undefined
  /** From sending to end. */
  readonly tookMs: number
  /** Of the node's own account: from coming to end; what is over is the gateway's and the network's. */
  readonly totalMs?: number | undefined
  /** What was done, in any unit that grows with the time that it takes. */
  readonly work: number
}

/** So many were one too many, and are not tried again for a while. */
interface Ceiling {
  readonly atOnce: number
  readonly untilMs: number
  readonly times: number
}

/** By the node's own account, of requests with the same number at once: the share of their time that they waited. */
interface Waits {
  share: number
  samples: number
}

/**
 * How many requests a node answers at once of a model, where nobody told: starts at one, and tries one more as long
 * as that neither waits at the node nor leaves the throughput as it was. Ollama's default is one.
 *
 * It is never less than what was seen to be worth it since the model was loaded: the number is fixed while it is in
 * memory, so what looks otherwise is somebody else's request, or noise. Answers too short to tell waiting from noise
 * raise the number for others of their kind only: the first one that is a measure takes all of that back.
 */
export class Slots {
  readonly #most: number
  readonly #throughput = new Throughput()
  #count = 1
  /** As many at once are certainly worth it. */
  #proven = 1
  /** What tiny answers are given. */
  #tiny = 0
  #ceiling: Ceiling | undefined
  readonly #waits: Array<Waits | undefined> = []

  /** `before`: what was learned of it earlier, and is likely still. */
  constructor(most: number, before = 1) {
    this.#most = most
    this.#count = Math.max(1, Math.min(most, Math.floor(before)))
  }

  /** What is to be known of it at the next start. */
  get learned(): number {
    return this.#count
  }

  get count(): number {
    return Math.max(this.#count, this.#tiny)
  }

  /** How much slower each further request at once makes all of them, 0...1. */
  get crowding(): number {
    return this.#throughput.crowding
  }

  /** The model is being loaded anew, perhaps with other slots: what was certain is likely only. */
  reloaded(): void {
    this.#proven = 1
  }

  /** Learns from one request that went well and found its model loaded. */
  learn(run: Run, nowMs: number): void {
    const {atOnce, queueMs, tookMs, totalMs = tookMs} = run
    const share = (queueMs ?? 0) > WAIT_MS ? (queueMs ?? 0) / tookMs : 0
    if (share < WAITED && Math.min(tookMs, totalMs) <= SHORT_MS) {
      if (atOnce >= this.count) this.#tiny = Math.min(this.#most, atOnce + 1)
      return
    }
    this.#tiny = 0
    if (atOnce > this.#most) return
    const waits = queueMs === undefined ? undefined : this.#wait(atOnce, share)
    if (atOnce <= this.#count && isWaiting(waits, share)) this.#lower(atOnce - 1, atOnce, nowMs)
    else if (share < WAITED) this.#ran(run, waits, nowMs)
  }

  #ran({atOnce, tookMs, work}: Run, waits: Waits | undefined, nowMs: number): void {
    this.#throughput.measure(atOnce, tookMs, Math.max(1, work))
    const {worth, than} = this.#throughput.verdict(atOnce)
    if (than !== undefined && than < this.#count && this.#lower(than, than + 1, nowMs)) return
    const clear = waits !== undefined && waits.share < NOT_WAITING
    if (worth || (clear && waits.samples >= TO_PROVE)) this.#prove(atOnce)
    // Where the node does not tell that it waited, the throughput has to say so.
    if (atOnce < this.#count || !(waits ? clear && waits.samples >= TO_RAISE : worth)) return
    const {atOnce: vain = Number.POSITIVE_INFINITY, untilMs = 0} = this.#ceiling ?? {}
    if (atOnce + 1 < vain || nowMs >= untilMs) this.#count = Math.min(this.#most, atOnce + 1)
  }

  #wait(atOnce: number, share: number): Waits {
    const waits = this.#waits[atOnce] ?? {share: 0, samples: 0}
    this.#waits[atOnce] = waits
    waits.samples++
    waits.share += Math.max(NEWEST, 1 / waits.samples) * (share - waits.share)
    return waits
  }

  #prove(atOnce: number): void {
    this.#proven = Math.max(this.#proven, atOnce)
    if (this.#ceiling && this.#ceiling.atOnce <= atOnce) this.#ceiling = undefined
  }

  /** `vain` were one too many. False: it is certain that they were not. */
  #lower(count: number, vain: number, nowMs: number): boolean {
    if (count < this.#proven) return false
    const times = this.#ceiling && vain >= this.#ceiling.atOnce ? this.#ceiling.times + 1 : 0
    const untilMs = nowMs + Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(times, 30))
    this.#ceiling = {atOnce: vain, untilMs, times}
    this.#count = count
    this.#waits.length = Math.min(this.#waits.length, count + 1)
    this.#throughput.forgetAbove(count)
    return true
  }
}

function isWaiting(waits: Waits | undefined, share: number): boolean {
  if (!waits) return false
  return share >= WAITED_SURELY || (waits.samples >= TO_LOWER && waits.share > WAITING)
}
