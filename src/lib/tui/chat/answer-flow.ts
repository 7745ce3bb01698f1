import {MarkdownStream} from './markdown/stream.ts'
import {type Look, paintRow, span} from './spans.ts'
import type {ChatEvent} from './state.ts'
import {ThoughtStream} from './thought.ts'

/** The screen is drawn anew for an answer at most this often: more costs time and helps no reader. */
const DRAW_MS = 80

type Part = {readonly stream: MarkdownStream | ThoughtStream; readonly thinking: boolean}

/** One answer on its way to the screen: pieces as they come, drawn a few times a second. */
export class AnswerFlow {
  readonly #width: () => number
  readonly #look: Look
  readonly #dispatch: (event: ChatEvent) => void
  #part: Part | undefined
  #final: string[] = []
  #timer: NodeJS.Timeout | undefined
  /** Something of it is on the screen, for good or not. */
  #shown = false

  constructor(width: () => number, look: Look, dispatch: (event: ChatEvent) => void) {
    this.#width = width
    this.#look = look
    this.#dispatch = dispatch
  }

  piece(text: string, thinking: boolean): void {
    if (text === '') return
    if (this.#part?.thinking !== thinking) this.#turn(thinking)
    this.#final.push(...(this.#part?.stream.push(text) ?? []))
    this.#shown = true
    this.#timer ??= setTimeout(() => this.draw(), DRAW_MS)
  }

  /** Draws what has come so far; also after the terminal has got another width. */
  draw(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const final = this.#final
    this.#final = []
    this.#dispatch({kind: 'lines', final, open: this.#part?.stream.open() ?? []})
  }

  /** Writes the rest for good, with what is to stand below it. */
  end(below: readonly string[]): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#finish()
    this.#dispatch({
      kind: 'lines',
      final: [...this.#final, ...(this.#shown ? [''] : []), ...below],
      open: [],
    })
    this.#final = []
  }

  #turn(thinking: boolean): void {
    this.#finish()
    if (thinking) this.#final.push(this.#dim('Thinking...'))
    const stream = thinking
      ? new ThoughtStream(this.#width, this.#look)
      : new MarkdownStream(this.#width, this.#look)
    this.#part = {stream, thinking}
  }

  #finish(): void {
    if (!this.#part) return
    this.#final.push(...this.#part.stream.end())
    if (this.#part.thinking) this.#final.push(this.#dim('...done thinking.'), '')
    this.#part = undefined
  }

  #dim(text: string): string {
    return paintRow([span(text, {dim: true})], this.#look)
  }
}
