// One model in a simulated node's memory: its slots, its queue, its cache of evaluated prompts.
import type {Listener, SimModel} from './ollama-node.ts'

/** One request at a node. */
export interface Task {
  readonly model: string
  readonly promptTokens: number
  readonly answerTokens: number
  readonly prefix: readonly number[]
  readonly blockTokens: number
  /** The context that it asks for; absent: whichever the model is loaded with. */
  readonly numCtx?: number
  readonly to: Listener
  cameMs?: number
  loadMs?: number
  startedMs?: number
  promptDoneMs?: number
  promptLeft?: number
  answerLeft?: number
}

interface Speeds {
  readonly promptTps: number
  readonly answerTps: number
}

/** llama-server keeps evaluated prompts in RAM; so many tokens of them. */
const CACHE_TOKENS = 100_000

export class Runner {
  readonly model: SimModel
  state: 'absent' | 'waiting' | 'loading' | 'ready' = 'absent'
  queue: Task[] = []
  running: Task[] = []
  contextLength: number
  readonly #cache = new Set<number>()

  constructor(model: SimModel, contextLength: number) {
    this.model = model
    this.contextLength = contextLength
  }

  /** The next one in its queue can only be answered once the model is loaded anew. */
  get wantsOtherContext(): boolean {
    const wanted = this.queue[0]?.numCtx
    return this.state === 'ready' && wanted !== undefined && wanted !== this.contextLength
  }

  unload(): void {
    this.state = 'absent'
    this.#cache.clear()
  }

  /** Lets those begin for whom a slot is free. */
  fill(slots: number, nowMs: number): void {
    while (this.state === 'ready' && this.running.length < slots && !this.wantsOtherContext) {
      const task = this.queue.shift()
      if (!task) return
      task.startedMs = nowMs
      const cached = this.#cached(task)
      // The last token of a prompt is always evaluated.
      task.promptLeft = Math.max(1, task.promptTokens - cached)
      task.answerLeft = task.answerTokens
      this.running.push(task)
    }
  }

  /** Time until one of them is through with its prompt or its answer. */
  nextMs({promptTps, answerTps}: Speeds): number {
    let nextMs = Number.POSITIVE_INFINITY
    for (const {promptLeft = 0, answerLeft = 0} of this.running) {
      const left = promptLeft > 0 ? promptLeft / promptTps : answerLeft / answerTps
      nextMs = Math.min(nextMs, left * 1000)
    }
    return nextMs
  }

  advance(passedMs: number, {promptTps, answerTps, nowMs}: Speeds & {nowMs: number}): void {
    const ended: Task[] = []
    for (const task of this.running) {
      let leftMs = passedMs
      const promptMs = ((task.promptLeft ?? 0) / promptTps) * 1000
      if (promptMs > leftMs + 1e-3) {
        task.promptLeft = (task.promptLeft ?? 0) - (leftMs / 1000) * promptTps
        continue
      }
      leftMs = Math.max(0, leftMs - promptMs)
      if (task.promptDoneMs === undefined) {
        task.promptLeft = 0
        task.promptDoneMs = nowMs - leftMs
        this.#remember(task)
        task.to.began()
      }
      task.answerLeft = (task.answerLeft ?? 0) - (leftMs / 1000) * answerTps
      if (task.answerLeft <= 1e-3) ended.push(task)
    }
    if (ended.length === 0) return
    this.running = this.running.filter((task) => !ended.includes(task))
    for (const task of ended) {
      const {cameMs = 0, startedMs = 0, promptDoneMs = 0, loadMs = 1} = task
      task.to.ended({
        totalMs: nowMs - cameMs,
        loadMs,
        promptTokens: task.promptTokens,
        promptMs: promptDoneMs - startedMs,
        answerTokens: task.answerTokens,
        answerMs: nowMs - promptDoneMs,
      })
    }
  }

  #cached({prefix, blockTokens}: Task): number {
    let blocks = 0
    for (const hash of prefix) {
      if (!this.#cache.has(hash)) break
      blocks++
    }
    return blocks * blockTokens
  }

  #remember({prefix, blockTokens}: Task): void {
    for (const hash of prefix.toReversed()) {
      this.#cache.delete(hash)
      this.#cache.add(hash)
    }
    for (const oldest of this.#cache) {
      if (this.#cache.size * blockTokens <= CACHE_TOKENS) break
      this.#cache.delete(oldest)
    }
  }
}
