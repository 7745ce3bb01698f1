import {basename} from 'node:path'
import type {Event, Order, Stats} from '../infer/messages.ts'
import {type Child, type ChildEntry, ChildGone, startChild} from './child.ts'
import {Refusal} from './refusal.ts'
import {makeSlot} from './slot.ts'

export interface RunnerOptions {
  readonly entry: ChildEntry
  /** Directory of the installed library. */
  readonly library: string
  readonly modelPath: string
  readonly embedding: boolean
  readonly threads: number
  readonly defaultNumCtx: number
  readonly log: (line: string) => void
  /** Requests that may wait for their turn. */
  readonly maxWaiting: number
}

/** What /api/ps tells of the model in memory. */
export interface LoadedState {
  readonly numCtx: number
  readonly memoryBytes: number
  /** Time at which it goes if nobody asks; Infinity: never. */
  readonly expiresAtMs: number
  readonly pid: number | undefined
}

/** One turn with the loaded model. */
export interface Turn {
  /** What making the model ready took, ms. */
  readonly loadMs: number
  generate(
    order: Extract<Order, {kind: 'generate'}>,
    onText: (text: string) => void,
  ): Promise<Stats>
  embed(order: Extract<Order, {kind: 'embed'}>): Promise<Extract<Event, {kind: 'vectors'}>>
}

/**
 * Owns the inference process: starts it for the first request, gives it to one request at a time,
 * starts another one after a crash or for another context size, and ends it when nobody has asked
 * for `keepAliveMs`.
 */
export interface Runner {
  readonly loaded: LoadedState | undefined
  use<T>(
    need: {numCtx: number | undefined; keepAliveMs: number; signal: AbortSignal},
    work: (turn: Turn) => Promise<T>,
  ): Promise<T>
  /** Ends the process now, or after the request that runs. */
  unload(signal: AbortSignal): Promise<void>
  close(): Promise<void>
}

/** Seconds without another try after the nth failed load in a row. */
const BACKOFF_MS = [0, 1000, 2000, 5000, 15_000, 60_000]

export function makeRunner(options: RunnerOptions): Runner {
  const slot = makeSlot(options.maxWaiting)
  let child: Child | undefined
  let state: LoadedState | undefined
  let idle: NodeJS.Timeout | undefined
  let failures = 0
  let retryAtMs = 0
  let lastFailure = ''

  const end = async () => {
    clearTimeout(idle)
    state = undefined
    const ending = child
    child = undefined
    await ending?.end()
  }
  const rest = (keepAliveMs: number) => {
    clearTimeout(idle)
    if (!child || !state) return
    state = {...state, expiresAtMs: Date.now() + keepAliveMs}
    if (keepAliveMs === Infinity) return
    // Beyond 2^31 - 1 ms a timer would fire at once.
    idle = setTimeout(() => void end(), Math.min(keepAliveMs, 2 ** 31 - 1))
    idle.unref()
  }
  const ready = async (wanted: number | undefined): Promise<{child: Child; loadMs: number}> => {
    clearTimeout(idle)
    const started = performance.now()
    const numCtx = Math.max(4, wanted ?? options.defaultNumCtx)
    if (child?.alive && asked === numCtx) return {child, loadMs: performance.now() - started}
    await end()
    if (Date.now() < retryAtMs) throw crashLoop(options, lastFailure, retryAtMs - Date.now())
    const fresh = startChild(options.entry, options.log)
    child = fresh
    try {
      const event = await load(fresh, options, numCtx)
      asked = numCtx
      failures = 0
      state = {
        numCtx: event.numCtx,
        memoryBytes: event.memoryBytes,
        expiresAtMs: Infinity,
        pid: fresh.pid,
      }
      return {child: fresh, loadMs: performance.now() - started}
    } catch (error) {
      await end()
      failures++
      lastFailure = describeFailure(error)
      retryAtMs = Date.now() + (BACKOFF_MS[Math.min(failures, BACKOFF_MS.length - 1)] ?? 0)
      throw failedLoad(options, lastFailure)
    }
  }
  let asked = 0

  return {
    get loaded() {
      return child?.alive ? state : undefined
    },
    async use(need, work) {
      const giveBack = await slot.take(need.signal)
      try {
        const {child: own, loadMs} = await ready(need.numCtx)
        need.signal.throwIfAborted()
        const cancel = () => own.cancel()
        need.signal.addEventListener('abort', cancel, {once: true})
        try {
          return await work(turnOf(own, loadMs))
        } finally {
          need.signal.removeEventListener('abort', cancel)
        }
      } finally {
        rest(need.keepAliveMs)
        giveBack()
      }
    },
    async unload(signal) {
      const giveBack = await slot.take(signal)
      try {
        await end()
      } finally {
        giveBack()
      }
    },
    close: end,
  }
}

async function load(child: Child, options: RunnerOptions, numCtx: number) {
  const {library, modelPath, threads, embedding} = options
  for await (const event of child.order({
    kind: 'load',
    library,
    modelPath,
    numCtx,
    threads,
    embedding,
  })) {
    if (event.kind === 'ready') return event
    if (event.kind === 'failed') throw new Error(event.message)
  }
  throw new Error('the inference process did not get ready')
}

function turnOf(child: Child, loadMs: number): Turn {
  return {
    loadMs,
    async generate(order, onText) {
      for await (const event of child.order(order)) {
        if (event.kind === 'text') onText(event.text)
        else if (event.kind === 'done') return event.stats
        else if (event.kind === 'failed') throw failed(event)
      }
      throw new Error('the inference process sent no end')
    },
    async embed(order) {
      for await (const event of child.order(order)) {
        if (event.kind === 'vectors') return event
        if (event.kind === 'failed') throw failed(event)
      }
      throw new Error('the inference process sent no end')
    },
  }
}

function failed(event: Extract<Event, {kind: 'failed'}>): Refusal {
  return new Refusal(event.caller ? 400 : 500, event.message)
}

function describeFailure(error: unknown): string {
  if (!(error instanceof ChildGone)) return error instanceof Error ? error.message : String(error)
  const words = error.lastWords.split('\n').find((line) => /assert|error|fail/i.test(line))
  return `its process ${error.message}${words ? ` (${words.trim().slice(0, 300)})` : ''}`
}

function failedLoad(options: RunnerOptions, why: string): Refusal {
  return new Refusal(500, `the engine cannot load ${nameOf(options)}: ${why}`)
}

function crashLoop(options: RunnerOptions, why: string, waitMs: number): Refusal {
  const seconds = Math.ceil(waitMs / 1000)
  return new Refusal(
    500,
    `the engine cannot load ${nameOf(options)} and tries again in ${seconds} s: ${why}`,
  )
}

const nameOf = (options: RunnerOptions) =>
  `the model file ${basename(options.modelPath)} (${options.modelPath})`
