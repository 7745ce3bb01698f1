// A simulated Ollama, as real ones were seen to behave: slots per model with a queue in order of coming, one load at a
// time, models pushed out when the memory is full, a cache of evaluated prompts, batches that slow each other down.
import type {AnswerStats} from '../cluster/answer-stats.ts'
import type {Reading} from '../cluster/reading.ts'
import type {Chance, Clock} from './clock.ts'
import {Runner, type Task} from './runner.ts'

export interface SimModel {
  readonly name: string
  readonly sizeBytes: number
}

/** Between two times the node refuses connections, answers 500 at once, or takes requests and never answers. */
export interface Fault {
  readonly kind: 'refuse' | 'error' | 'hang'
  readonly fromMs: number
  readonly toMs: number
}

/** How one model runs on one node. */
export interface ModelSpeed {
  /** Alone on the node. */
  readonly promptTps: number
  readonly answerTps: number
  readonly slots: number
  readonly crowding: number
  readonly loadMs: number
  /** With which it is loaded when nobody asks for another one. */
  readonly contextLength: number
}

export interface NodeKind {
  /** Of a model of 5 GB, alone on the node; others in proportion to their size. */
  readonly promptTps: number
  readonly answerTps: number
  readonly slots: number
  /** Each further request at once makes all so much slower (0.15: two run at 87 %). */
  readonly crowding: number
  readonly memoryBytes: number
  readonly loadBytesPerMs: number
  readonly latencyMs: number
  /** Models in memory at once, however small. Default: Ollama's for one GPU. */
  readonly mostLoaded?: number
  readonly faults?: readonly Fault[]
  /** Where it is known model by model, instead of what stands above; the node has no other models. */
  readonly speeds?: ReadonlyMap<string, ModelSpeed>
}

/** What the node says of a request. */
export interface Listener {
  began(): void
  ended(how: AnswerStats | 'error' | 'cut' | 'missing'): void
}

const REFERENCE_BYTES = 5e9
const CONTEXT_LENGTH = 4096
/** Ollama's default for one GPU. */
const MOST_LOADED = 3

export class OllamaNode {
  readonly name: string
  readonly kind: NodeKind
  readonly runners = new Map<string, Runner>()
  readonly #models: ReadonlyMap<string, SimModel>
  readonly #clock: Clock
  readonly #chance: Chance
  /** Models that wait to be loaded, the first one perhaps on its way. */
  readonly #toLoad: Runner[] = []
  #loading: Runner | undefined
  #stepAtMs = Number.POSITIVE_INFINITY
  #version = 0
  #progressMs = 0
  loads = 0

  constructor(
    name: string,
    kind: NodeKind,
    {models, clock, chance}: {models: readonly SimModel[]; clock: Clock; chance: Chance},
  ) {
    this.name = name
    this.kind = kind
    this.#models = new Map(models.map((model) => [model.name, model]))
    this.#clock = clock
    this.#chance = chance
    for (const {kind: what, fromMs, toMs} of kind.faults ?? []) {
      if (what === 'refuse') clock.at(fromMs, () => this.#die())
      if (what === 'hang') clock.at(fromMs, () => this.#changed())
      if (what === 'hang')
        clock.at(toMs, () => {
          this.#progressMs = clock.nowMs
          this.#changed()
        })
    }
  }

  fault(): Fault['kind'] | undefined {
    const nowMs = this.#clock.nowMs
    return this.kind.faults?.find(({fromMs, toMs}) => nowMs >= fromMs && nowMs < toMs)?.kind
  }

  /** Puts a model in memory before anything begins. */
  preload(name: string): void {
    const runner = this.#runner(name)
    if (runner) runner.state = 'ready'
  }

  accept(task: Task): void {
    const runner = this.#runner(task.model)
    if (!runner) {
      task.to.ended('missing')
      return
    }
    task.cameMs = this.#clock.nowMs
    runner.queue.push(task)
    if (runner.state === 'absent') this.#toBeLoaded(runner)
    this.#changed()
  }

  /** The client has gone: the task ends, wherever it is. */
  drop(task: Task): void {
    this.#progress()
    for (const runner of this.runners.values()) {
      runner.queue = runner.queue.filter((one) => one !== task)
      runner.running = runner.running.filter((one) => one !== task)
    }
    this.#changed()
  }

  reading(): Reading {
    const atMs = this.#clock.nowMs
    if (this.fault() === 'refuse')
      return {kind: 'down', node: this.name, atMs, code: 'NODE_UNREACHABLE', message: 'refused'}
    const loaded = [...this.runners.values()].filter(({state}) => state === 'ready')
    return {
      kind: 'up',
      node: this.name,
      atMs,
      latencyMs: this.kind.latencyMs,
      models: [...this.#models.values()].map(({name, sizeBytes}) => ({
        ...{name, sizeBytes, digest: name, modifiedAt: ''},
      })),
      loaded: loaded.map(({model: {name, sizeBytes}, contextLength}) => ({
        ...{name, digest: name, sizeBytes, vramBytes: sizeBytes, contextLength},
        expiresAt: '',
      })),
    }
  }

  #runner(name: string): Runner | undefined {
    const known = this.runners.get(name)
    if (known) return known
    const model = this.#models.get(name)
    if (!model) return undefined
    const {contextLength = CONTEXT_LENGTH} = this.kind.speeds?.get(name) ?? {}
    const runner = new Runner(model, contextLength)
    this.runners.set(name, runner)
    return runner
  }

  /** Time has passed or something has come or gone: work goes on from here. */
  #changed(): void {
    this.#progress()
    for (const runner of this.runners.values())
      if (runner.wantsOtherContext && runner.running.length === 0) this.#toBeLoaded(runner)
    this.#load()
    for (const runner of this.runners.values())
      runner.fill(this.#speedOf(runner).slots, this.#clock.nowMs)
    this.#plan()
  }

  #toBeLoaded(runner: Runner): void {
    runner.unload()
    runner.contextLength = runner.queue[0]?.numCtx ?? runner.contextLength
    runner.state = 'waiting'
    this.#toLoad.push(runner)
  }

  #speedOf({model}: Runner): Omit<ModelSpeed, 'loadMs' | 'contextLength'> {
    return this.kind.speeds?.get(model.name) ?? this.kind
  }

  /** Tokens per second now, of one of those that run. */
  #speeds(runner: Runner) {
    let active = 0
    for (const other of this.runners.values()) if (other.running.length > 0) active++
    const {promptTps, answerTps, crowding} = this.#speedOf(runner)
    const crowd = 1 + crowding * (runner.running.length - 1)
    const bySize = this.kind.speeds ? 1 : REFERENCE_BYTES / runner.model.sizeBytes
    const speed = bySize / crowd / Math.max(1, active)
    return {promptTps: promptTps * speed, answerTps: answerTps * speed}
  }

  /** All tasks get done what could be done since the last time. */
  #progress(): void {
    const passedMs = this.#clock.nowMs - this.#progressMs
    this.#progressMs = this.#clock.nowMs
    if (passedMs <= 0 || this.fault() === 'hang') return
    const speeds = [...this.runners.values()].map(
      (runner) => [runner, this.#speeds(runner)] as const,
    )
    for (const [runner, speed] of speeds)
      runner.advance(passedMs, {...speed, nowMs: this.#clock.nowMs})
  }

  #plan(): void {
    let soonestMs = Number.POSITIVE_INFINITY
    if (this.fault() === 'hang') return
    for (const runner of this.runners.values()) {
      if (runner.running.length === 0) continue
      soonestMs = Math.min(soonestMs, runner.nextMs(this.#speeds(runner)))
    }
    const version = ++this.#version
    this.#stepAtMs = this.#clock.nowMs + soonestMs
    if (Number.isFinite(soonestMs))
      this.#clock.at(this.#stepAtMs + 1e-6, () => {
        if (version === this.#version) this.#changed()
      })
  }

  #load(): void {
    const next = this.#toLoad[0]
    if (this.#loading || !next || !this.#makeRoom(next)) return
    this.#toLoad.shift()
    this.#loading = next
    next.state = 'loading'
    this.loads++
    const startedMs = this.#clock.nowMs
    const known = this.kind.speeds?.get(next.model.name)?.loadMs
    const takesMs = Math.max(250, known ?? next.model.sizeBytes / this.kind.loadBytesPerMs)
    this.#clock.at(startedMs + takesMs, () => {
      if (this.#loading !== next) return
      this.#loading = undefined
      // Nobody waits for it any more: given up.
      next.state = next.queue.length > 0 ? 'ready' : 'absent'
      for (const task of next.queue) task.loadMs = this.#clock.nowMs - (task.cameMs ?? 0)
      this.#changed()
    })
  }

  /** Pushes idle models out; false: not enough are idle. */
  #makeRoom(next: Runner): boolean {
    const here = () => [...this.runners.values()].filter(({state}) => state === 'ready')
    const fits = () => {
      const bytes = here().reduce((sum, {model}) => sum + model.sizeBytes, next.model.sizeBytes)
      const most = this.kind.mostLoaded ?? MOST_LOADED
      return bytes <= this.kind.memoryBytes && here().length < most
    }
    while (!fits()) {
      const idle = here().filter(({running, queue}) => running.length + queue.length === 0)
      const out = idle[Math.floor(this.#chance.next() * idle.length)]
      if (!out) return false
      out.unload()
    }
    return true
  }

  /** Killed: all connections break, the memory is empty. */
  #die(): void {
    const tasks = [...this.runners.values()].flatMap(({running, queue}) => [...running, ...queue])
    this.runners.clear()
    this.#toLoad.length = 0
    this.#loading = undefined
    this.#version++
    for (const task of tasks) task.to.ended('cut')
  }
}
