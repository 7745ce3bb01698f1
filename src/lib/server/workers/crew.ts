import cluster from 'node:cluster'
import {setTimeout} from 'node:timers/promises'
import type {Log} from '../../log/make-log.ts'
import {losesPulse} from './pulse.ts'
import {forkWorker, type Hand, type WorkerHooks, type WorkerProcess} from './worker-process.ts'

export interface CrewOptions extends Pick<WorkerHooks, 'deskOf'> {
  readonly size: number
  readonly log: Log
  /** A worker has ended; gives how many requests it had. */
  readonly gone: (hand: Hand) => number
}

/** A worker that lasted so long was well: the next one is started at once. */
const WELL_MS = 10_000
/** Else each that follows waits twice as long. */
const AGAIN_MS = {first: 250, most: 10_000}
/** For its last words, after the deadline for running requests. */
const LAST_WORDS_MS = 2000

/** The worker processes: as many as wanted, each started anew when it ends. */
export class Crew {
  /** Workers that have ended although they were wanted, so far. */
  ended = 0
  readonly #options: CrewOptions
  readonly #running = new Set<WorkerProcess>()
  readonly #stopping = new AbortController()
  /** All have listened once: from then on each is replaced. */
  #up = false

  constructor(options: CrewOptions) {
    this.#options = options
  }

  /** Resolves when all listen, with where. Throws why the first one that cannot does not. */
  async start(): Promise<string> {
    // Connections are given to one after the other: whoever is quick to accept would get most of them.
    cluster.schedulingPolicy = cluster.SCHED_RR
    cluster.setupPrimary({
      exec: process.argv[1] ?? '',
      args: ['worker'],
      // What it has to say goes through the log; only a crash speaks for itself.
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    const first = Array.from({length: this.#options.size}, (_, at) => this.#start(at + 1))
    const [url = ''] = await Promise.all(first.map(({listening}) => listening))
    this.#up = true
    for (const one of first) void this.#keep(one)
    return url
  }

  /** Those that can be told everything. */
  hands(): readonly Hand[] {
    return [...this.#running].filter(({greeted}) => greeted)
  }

  /** Lets each end its requests and itself; resolves when all have, or were made to at the deadline. */
  async drain(deadlineMs: number): Promise<void> {
    this.#stop()
    for (const one of this.#running) {
      if (one.greeted) one.link.tell('drain', deadlineMs)
      else one.kill()
    }
    const ended = new AbortController()
    void pause(deadlineMs + LAST_WORDS_MS, ended.signal).then(() => this.close())
    await this.#allEnded()
    ended.abort()
  }

  async close(): Promise<void> {
    this.#stop()
    for (const one of this.#running) one.kill()
    await this.#allEnded()
  }

  #stop(): void {
    this.#stopping.abort()
  }

  async #allEnded(): Promise<void> {
    await Promise.all([...this.#running].map(({ended}) => ended))
  }

  #start(place: number): WorkerProcess {
    const {log, deskOf, gone} = this.#options
    let requests = 0
    const one = forkWorker(place, {
      deskOf,
      silent: (hand) => {
        requests = gone(hand)
      },
    })
    this.#running.add(one)
    const worker = one.pid
    one.listening.then(
      () => {
        log.info('a worker listens', {worker})
        void this.#attend(one)
      },
      (error: unknown) => this.#up && log.error('a worker cannot work', {worker, err: error}),
    )
    void one.ended.then((how) => {
      this.#running.delete(one)
      if (!this.#up || this.#stopping.signal.aborted) return
      this.ended++
      log.error('a worker has ended', {worker, how, requests})
    })
    return one
  }

  /** Ends it when it does nothing any more. */
  async #attend(one: WorkerProcess): Promise<void> {
    if (!(await losesPulse(one, this.#stopping.signal))) return
    this.#options.log.error('a worker answers nothing and is killed', {worker: one.pid})
    one.kill()
  }

  /** Puts another one in its place whenever it has ended. */
  async #keep(first: WorkerProcess): Promise<void> {
    const {signal} = this.#stopping
    let one = first
    for (let quick = 0; ; ) {
      const sinceMs = performance.now()
      await one.ended
      quick = performance.now() - sinceMs > WELL_MS ? 0 : quick + 1
      if (quick > 1) await pause(Math.min(AGAIN_MS.most, AGAIN_MS.first * 2 ** (quick - 2)), signal)
      if (signal.aborted) return
      one = this.#start(one.place)
    }
  }
}

/** Ends early when the signal aborts. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await setTimeout(ms, undefined, {signal}).catch(() => {})
}
