import {InOrder} from '../../batch/in-order.ts'
import {outputLine, tokensOf} from '../../batch/output-line.ts'
import type {Tally} from '../../batch/tally.ts'
import {Window} from '../../batch/window.ts'
import {OllamaxError} from '../../errors.ts'
import type {Endpoint} from '../../ollama/endpoint.ts'
import {type AskedLine, askLine} from './ask-line.ts'
import type {Output} from './output-file.ts'
import type {TodoLine} from './todo-lines.ts'

export interface WorkOptions {
  readonly endpoint: Endpoint
  readonly output: Output
  /** Absent: found out. */
  readonly concurrency?: number | undefined
  readonly keepOrder: boolean
  readonly retries: number
  readonly timeoutMs: number
  /** When so long no line was answered because nobody could take one, the batch is given up. */
  readonly patienceMs: number
  /** The one model of all lines; absent: each names its own. */
  readonly model?: string | undefined
  /** Nothing new is sent from then on; what runs may end within `drainMs`. */
  readonly signal: AbortSignal
  readonly drainMs: number
  readonly tally: Tally
  /** Told now and then why nobody takes a line. */
  readonly warn: (words: string) => void
}

/** Requests that are under way have at most so many characters in all. */
const MOST_CHARACTERS = 128 * 1024 * 1024
/** Answers that wait for an earlier one, in lines and in characters. */
const MOST_EARLY = 10_000
const MOST_EARLY_CHARACTERS = 64 * 1024 * 1024
/** One refusal of many at the same moment counts. */
const REFUSAL_MS = 1000
/** Why nobody takes a line is told so often. */
const WARN_MS = 30_000
/** One that is refused is no news as long as others are answered. */
const SILENT_MS = 5000
/** Who was never answered is more likely to have asked in vain from the beginning. */
const FIRST_PATIENCE_MS = 60_000

/**
 * Asks all lines and writes their answers. Returns when all have ended, or, after the signal, when those have that ran.
 * Throws what ends the whole batch: NO_CANDIDATE, MODEL_NOT_FOUND, NODE_ERROR (no right to ask), STATE_IO, and what
 * reading the lines throws. Lines without an outcome by then are not in the output.
 */
export async function workThrough(
  lines: AsyncIterable<TodoLine>,
  options: WorkOptions,
): Promise<void> {
  await new Work(options).run(lines)
}

class Work {
  readonly #options: WorkOptions
  readonly #window: Window
  readonly #order = new InOrder()
  readonly #cancel = new AbortController()
  readonly #waiting: TodoLine[] = []
  readonly #running = new Set<Promise<void>>()
  #characters = 0
  #ended = false
  #stopped = false
  #failure: {readonly error: unknown} | undefined
  #answeredMs = performance.now()
  #refusedMs = Number.NEGATIVE_INFINITY
  #warnedMs = Number.NEGATIVE_INFINITY
  /** Called when anything has changed that somebody may wait for. */
  #changed = Promise.withResolvers<void>()

  constructor(options: WorkOptions) {
    this.#options = options
    this.#window = new Window(options.concurrency)
  }

  async run(lines: AsyncIterable<TodoLine>): Promise<void> {
    const {signal, drainMs} = this.#options
    let late: NodeJS.Timeout | undefined
    const stop = () => {
      this.#stopped = true
      late = setTimeout(() => this.#cancel.abort(signal.reason), drainMs)
      this.#wake()
    }
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop, {once: true})
    const reading = this.#read(lines)
    try {
      await this.#send()
      while (this.#running.size > 0) await Promise.race(this.#running)
    } finally {
      clearTimeout(late)
      signal.removeEventListener('abort', stop)
      this.#stopped = true
      this.#wake()
    }
    // A reader that waits for its input cannot be waited for.
    if (!this.#failure && !signal.aborted) await reading
    if (this.#failure) throw this.#failure.error
  }

  /** Reads ahead, so that the end is seen before it has come. */
  async #read(lines: AsyncIterable<TodoLine>): Promise<void> {
    try {
      for await (const line of lines) {
        this.#waiting.push(line)
        this.#characters += line.characters
        this.#wake()
        while (!this.#stopped && this.#isFull()) await this.#change()
        if (this.#stopped) return
      }
      this.#ended = true
      this.#wake()
    } catch (error) {
      this.#fail(error)
    }
  }

  #isFull(): boolean {
    return (
      this.#waiting.length > 0 &&
      (this.#waiting.length > this.#window.size || this.#characters > MOST_CHARACTERS)
    )
  }

  async #send(): Promise<void> {
    while (!this.#stopped) {
      const [next] = this.#waiting
      if (!next && this.#ended) return
      if (!next || !this.#mayBegin(next)) {
        await this.#change()
        continue
      }
      this.#waiting.shift()
      const work: Promise<void> = this.#answer(next).finally(() => {
        this.#running.delete(work)
        this.#characters -= next.characters
        this.#wake()
      })
      this.#running.add(work)
      this.#wake()
    }
  }

  #mayBegin({at}: TodoLine): boolean {
    if (this.#running.size >= this.#window.size) return false
    if (!this.#options.keepOrder || at === this.#order.next) return true
    return at - this.#order.next < MOST_EARLY && this.#order.characters < MOST_EARLY_CHARACTERS
  }

  async #answer(line: TodoLine): Promise<void> {
    try {
      await this.#settle(line, await this.#ask(line))
    } catch (error) {
      // What was broken off is not in the output, and is asked again by the next run.
      if (!this.#cancel.signal.aborted) this.#fail(error)
    }
  }

  #ask({parsed}: TodoLine): Promise<AskedLine> | AskedLine {
    if (parsed.kind === 'broken') {
      const error = {code: 'broken_line', message: parsed.why}
      return {outcome: {kind: 'failed', error}, tookMs: 0, tries: 1}
    }
    const {endpoint, retries, timeoutMs} = this.#options
    // As long as there is more to do, whoever is free gets the next line; of the last ones a slow node gets none that
    // a fast one will have done sooner.
    const last = this.#ended && this.#waiting.length < this.#window.size
    return askLine(endpoint, parsed.request, {
      ...{retries, timeoutMs, signal: this.#cancel.signal},
      policy: last ? 'expected-time' : 'tiers',
      refused: (words, why) => this.#refused(words, why),
    })
  }

  async #settle(todo: TodoLine, asked: AskedLine): Promise<void> {
    const {line, fingerprint, parsed, at} = todo
    const {tally, output, keepOrder} = this.#options
    const {outcome, node, requestId, queueMs, tookMs, tries} = asked
    const request = parsed.kind === 'request' ? parsed.request : undefined
    const customId = parsed.kind === 'request' ? request?.customId : parsed.customId
    if (outcome.kind === 'answered') {
      this.#answeredMs = performance.now()
      if (queueMs !== undefined) this.#window.answered({queueMs, tookMs})
      tally.answer(node, tokensOf(outcome.answer))
    } else {
      this.#endIfVain(outcome)
      tally.fail({line, ...(customId === undefined ? {} : {customId}), ...outcome.error})
    }
    tally.retried += tries - 1
    const facts = {
      ...{line, customId, fingerprint, node, requestId, ms: tookMs},
      openai: request?.openai ?? false,
    }
    const text = `${outputLine(facts, outcome)}\n`
    for (const ready of keepOrder ? this.#order.push(at, text) : [text]) await output.write(ready)
  }

  /** What every other line would be told as well ends the batch. */
  #endIfVain({
    status,
    error,
  }: {
    readonly status?: number
    readonly error: {readonly message: string}
  }) {
    const {model, tally} = this.#options
    if (status === 401)
      throw new OllamaxError('NODE_ERROR', `the gateway does not let us in: ${error.message}`, {
        suggestions: ['name a key for it: gateway.key in the cluster file (ollamax config edit)'],
      })
    const missing = status === 404 && /model.*not found/s.test(error.message)
    if (missing && model !== undefined && tally.answered === 0)
      throw new OllamaxError('MODEL_NOT_FOUND', `no node has the model "${model}"`, {
        suggestions: ['see what the nodes have: ollamax status'],
      })
  }

  #refused(words: string, why: 'busy' | 'absent'): void {
    const nowMs = performance.now()
    const {patienceMs, tally, warn} = this.#options
    const bearMs = tally.answered > 0 ? patienceMs : Math.min(patienceMs, FIRST_PATIENCE_MS)
    if (nowMs - this.#answeredMs > bearMs)
      throw new OllamaxError('NO_CANDIDATE', `nobody has taken a line for too long: ${words}`, {
        suggestions: ['see what is wrong: ollamax status', 'then run the same command again'],
      })
    if (nowMs - this.#refusedMs < REFUSAL_MS) return
    this.#refusedMs = nowMs
    if (why === 'busy') this.#window.refused()
    if (nowMs - Math.max(this.#warnedMs + WARN_MS, this.#answeredMs + SILENT_MS) < 0) return
    this.#warnedMs = nowMs
    warn(`nobody takes a line now: ${words}`)
  }

  #fail(error: unknown): void {
    this.#failure ??= {error}
    this.#stopped = true
    this.#cancel.abort(error)
    this.#wake()
  }

  #change(): Promise<void> {
    return this.#changed.promise
  }

  #wake(): void {
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
  }
}
