import {messageOf} from '../errors.ts'
import type {Outlet} from './outlet.ts'

/** Lines lie here at most this long before they are handed over. */
const FLUSH_MS = 100
/** Handed over at once from this many characters on: fewer, bigger writes cost least. */
const BATCH_CHARS = 65_536
/** What may wait to be written. A reader that has stalled must not fill our memory. */
const BACKLOG_BYTES = 4 * 1024 * 1024

export interface LineSinkOptions {
  /** Told when lines begin to be lost, once until lines can be written again. Must not write to this sink. */
  readonly onLoss: (why: string) => void
  /** Told when lines can be written again, with how many were lost. May write to this sink. */
  readonly onRecovery: (lines: number) => void
}

/**
 * Collects lines and writes them in batches. Never throws and never waits: what cannot be written (a
 * full disk, a reader that left or stalls) is dropped and counted. Whatever is left is written when the process ends;
 * a kill -9 loses 100 ms of lines.
 */
export class LineSink {
  readonly #outlet: Outlet
  readonly #options: LineSinkOptions
  readonly #atExit = () => {
    this.flush()
    this.#outlet.end()
  }
  #text = ''
  #lines = 0
  #timer: NodeJS.Timeout | undefined
  #underWay = 0
  #idle = () => {}
  /** Lost since lines could last be written. */
  #lost = 0
  /** Lines lost so far. */
  dropped = 0

  constructor(outlet: Outlet, options: LineSinkOptions) {
    this.#outlet = outlet
    this.#options = options
    process.on('exit', this.#atExit)
  }

  /** Takes a line with its newline. */
  write(line: string): void {
    this.#text += line
    this.#lines++
    if (this.#text.length >= BATCH_CHARS) this.flush()
    else this.#timer ??= setTimeout(() => this.flush(), FLUSH_MS).unref()
  }

  /** Hands over what has been collected. */
  flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#lines === 0) return
    const [text, lines] = [this.#text, this.#lines]
    this.#text = ''
    this.#lines = 0
    if (this.#outlet.backlogBytes() > BACKLOG_BYTES) {
      this.#lose(lines, 'its reader has stalled')
      return
    }
    this.#underWay++
    this.#outlet.write(text, (error) => {
      this.#underWay--
      if (error) this.#lose(lines, messageOf(error))
      // Not before all is written: a reader that is merely too slow would be reported without end.
      else if (this.#underWay === 0) this.#recover()
      if (this.#underWay === 0) this.#idle()
    })
  }

  /** Writes what is left, waits for it at most `deadlineMs`, and ends nothing. */
  async close(deadlineMs = 1000): Promise<void> {
    const until = performance.now() + deadlineMs
    do {
      this.flush()
      await this.#settled(until - performance.now())
      // The last write may have let us say how many lines were lost.
    } while (this.#lines > 0 && performance.now() < until)
    process.off('exit', this.#atExit)
  }

  async #settled(deadlineMs: number): Promise<void> {
    if (this.#underWay === 0) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, deadlineMs)
      this.#idle = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  #lose(lines: number, why: string): void {
    const first = this.#lost === 0
    this.#lost += lines
    this.dropped += lines
    if (first) this.#options.onLoss(why)
  }

  #recover(): void {
    if (this.#lost === 0) return
    const lost = this.#lost
    this.#lost = 0
    this.#options.onRecovery(lost)
  }
}
