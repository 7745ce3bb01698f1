import {clean} from './clean.ts'
import {type Look, paintRow, type Style, span} from './spans.ts'
import {wrapSpans} from './wrap.ts'

const DIM: Style = {dim: true}

/** What a model thinks before it answers, dimmed: lines become final with their end. */
export class ThoughtStream {
  readonly #width: () => number
  readonly #look: Look
  #rest = ''

  constructor(width: () => number, look: Look) {
    this.#width = width
    this.#look = look
  }

  push(text: string): string[] {
    const lines = (this.#rest + clean(text)).split('\n')
    this.#rest = lines.pop() ?? ''
    return lines.flatMap((line) => this.#lines(line))
  }

  open(): string[] {
    return this.#rest === '' ? [] : this.#lines(this.#rest)
  }

  end(): string[] {
    const lines = this.open()
    this.#rest = ''
    return lines
  }

  #lines(text: string): string[] {
    return wrapSpans([span(text, DIM)], this.#width()).map((row) => paintRow(row, this.#look))
  }
}
