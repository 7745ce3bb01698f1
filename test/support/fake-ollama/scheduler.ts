import {ApiError, sleep} from './http.ts'
import type {Model} from './model.ts'
import type {Settings} from './options.ts'

/** A model in memory. */
export interface Runner {
  readonly model: Model
  /** The name that loaded it, as /api/ps lists it. */
  readonly name: string
  /** Options that a runner is started with; others mean a reload. */
  readonly key: string
  readonly numCtx: number
  readonly slots: number
  /** Prompts that its cache knows. */
  readonly prompts: string[]
  refs: number
  active: number
  keepAliveMs: number
  expiresAtMs: number
  timer: NodeJS.Timeout | undefined
  readonly waiting: (() => void)[]
  readonly onIdle: (() => void)[]
}

export interface Ask {
  readonly model: Model
  readonly key: string
  readonly numCtx: number
  readonly keepAliveMs: number
  readonly signal: AbortSignal
}

/** The right to run one request; `release` exactly once. */
export interface Lease {
  readonly runner: Runner
  /** Time spent on the load, and on waiting for it. */
  readonly loadMs: number
  release(): void
}

interface Pending {
  readonly ask: Ask
  readonly resolve: (runner: Runner) => void
  readonly reject: (reason: unknown) => void
}

const MAX_TIMER_MS = 2 ** 31 - 1
const FOREVER_MS = Date.UTC(2319, 0, 1)

/** Loads one model at a time, gives each runner its slots in order of arrival, and unloads what is idle. */
export class Scheduler {
  readonly #settings: () => Settings
  readonly #runners = new Map<string, Runner>()
  readonly #pending: Pending[] = []
  #pumping = false

  constructor(settings: () => Settings) {
    this.#settings = settings
  }

  /** What /api/ps shows: ready runners alone, the longest remaining first. */
  loaded(): readonly Runner[] {
    return [...this.#runners.values()].sort((a, b) => b.expiresAtMs - a.expiresAtMs)
  }

  /** Waits for load and slot. 503 where the queue for loads is full; rejects when the signal aborts. */
  async acquire(ask: Ask): Promise<Lease> {
    const began = performance.now()
    const runner = this.#ready(ask) ?? (await this.#enqueue(ask))
    const loadMs = performance.now() - began
    runner.keepAliveMs = ask.keepAliveMs
    try {
      await this.#slot(runner, ask.signal)
    } catch (error) {
      this.#deref(runner)
      throw error
    }
    return {
      runner,
      loadMs,
      release: () => {
        runner.active--
        runner.waiting.shift()?.()
        this.#deref(runner)
      },
    }
  }

  /** Unloads at once, or as soon as what runs has ended. */
  unload(model: Model): void {
    const runner = this.#runners.get(model.blob)
    if (!runner) return
    runner.keepAliveMs = 0
    runner.expiresAtMs = Date.now()
    if (runner.refs === 0) this.drop(runner)
  }

  /** The runner is gone, as after a crash; the next request loads it again. */
  drop(runner: Runner): void {
    clearTimeout(runner.timer)
    if (this.#runners.get(runner.model.blob) === runner) this.#runners.delete(runner.model.blob)
  }

  close(): void {
    for (const runner of this.#runners.values()) this.drop(runner)
  }

  #ready(ask: Ask): Runner | undefined {
    const runner = this.#runners.get(ask.model.blob)
    if (runner?.key !== ask.key) return undefined
    clearTimeout(runner.timer)
    runner.refs++
    return runner
  }

  #enqueue(ask: Ask): Promise<Runner> {
    if (this.#pending.length >= this.#settings().maxQueue)
      throw new ApiError(503, 'server busy, please try again.  maximum pending requests exceeded')
    const {promise, resolve, reject} = Promise.withResolvers<Runner>()
    const entry = {ask, resolve, reject}
    this.#pending.push(entry)
    ask.signal.addEventListener(
      'abort',
      () => {
        const at = this.#pending.indexOf(entry)
        if (at >= 0) this.#pending.splice(at, 1)
        reject(ask.signal.reason)
      },
      {once: true},
    )
    void this.#pump()
    return promise
  }

  async #pump(): Promise<void> {
    if (this.#pumping) return
    this.#pumping = true
    for (let next = this.#pending.shift(); next; next = this.#pending.shift()) {
      try {
        const runner = await this.#provide(next.ask)
        if (next.ask.signal.aborted) this.#deref(runner)
        else next.resolve(runner)
      } catch (error) {
        next.reject(error)
      }
    }
    this.#pumping = false
  }

  async #provide(ask: Ask): Promise<Runner> {
    const ready = this.#ready(ask)
    if (ready) return ready
    const {maxLoaded, loadMs, slots} = this.#settings()
    const other = this.#runners.get(ask.model.blob)
    if (other) await this.#evict(other, ask.signal)
    while (this.#runners.size >= maxLoaded) await this.#evict(this.#victim(), ask.signal)
    await sleep(ask.model.loadMs ?? loadMs, ask.signal)
    const runner: Runner = {
      model: ask.model,
      name: ask.model.name,
      key: ask.key,
      numCtx: ask.numCtx,
      slots: ask.model.capabilities.includes('embedding') ? 1 : slots,
      prompts: [],
      refs: 1,
      active: 0,
      keepAliveMs: ask.keepAliveMs,
      expiresAtMs: expiry(ask.keepAliveMs),
      timer: undefined,
      waiting: [],
      onIdle: [],
    }
    this.#runners.set(ask.model.blob, runner)
    return runner
  }

  #victim(): Runner {
    const all = [...this.#runners.values()].sort((a, b) => span(a) - span(b))
    const victim = all.find((r) => r.refs === 0) ?? all[0]
    if (!victim) throw new ApiError(500, 'no model may be loaded')
    return victim
  }

  /** New requests to it are still taken meanwhile, as in Ollama: who waits for an eviction may starve. */
  async #evict(runner: Runner, signal: AbortSignal): Promise<void> {
    while (runner.refs > 0) {
      const {promise, resolve} = Promise.withResolvers<void>()
      runner.onIdle.push(resolve)
      await orAborted(promise, signal)
    }
    this.drop(runner)
  }

  async #slot(runner: Runner, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    while (runner.active >= runner.slots) {
      const {promise, resolve} = Promise.withResolvers<void>()
      runner.waiting.push(resolve)
      try {
        await orAborted(promise, signal)
      } catch (error) {
        const at = runner.waiting.indexOf(resolve)
        if (at >= 0) runner.waiting.splice(at, 1)
        else runner.waiting.shift()?.()
        throw error
      }
    }
    runner.active++
  }

  #deref(runner: Runner): void {
    runner.refs--
    if (runner.refs > 0) return
    runner.expiresAtMs = expiry(runner.keepAliveMs)
    for (const idle of runner.onIdle.splice(0)) idle()
    if (runner.keepAliveMs === 0) this.drop(runner)
    if (runner.keepAliveMs <= 0) return
    runner.timer = setTimeout(() => this.drop(runner), Math.min(runner.keepAliveMs, MAX_TIMER_MS))
    runner.timer.unref()
  }
}

const span = (runner: Runner): number =>
  runner.keepAliveMs < 0 ? Number.POSITIVE_INFINITY : runner.keepAliveMs
const expiry = (keepAliveMs: number): number =>
  keepAliveMs < 0 ? FOREVER_MS : Date.now() + keepAliveMs

function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason)
    signal.addEventListener('abort', abort, {once: true})
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
