import {clean} from '../clean.ts'
import {type Look, paintRow} from '../spans.ts'
import {type Block, BlockCutter} from './blocks.ts'
import {blockRows} from './render.ts'

/**
 * Markdown that comes piece by piece, as lines for the terminal that are no wider than `width` says and hold no escape
 * sequence but ours. Lines once given as final never change, and in which pieces the text came makes no difference.
 */
export class MarkdownStream {
  readonly #width: () => number
  readonly #look: Look
  readonly #cutter = new BlockCutter()
  #rest = ''

  constructor(width: () => number, look: Look) {
    this.#width = width
    this.#look = look
  }

  /** Takes more text; gives the lines that are final now. */
  push(text: string): string[] {
    const lines = (this.#rest + clean(text)).split('\n')
    this.#rest = lines.pop() ?? ''
    return this.#lines(lines.flatMap((line) => this.#cutter.line(line)))
  }

  /** How what is not final yet looks now. */
  open(): string[] {
    const ahead = this.#cutter.clone()
    const now = this.#rest === '' ? [] : ahead.line(this.#rest)
    return this.#lines([...now, ...ahead.end()])
  }

  /** The text is over: gives all lines that are left. The stream may not be used any more. */
  end(): string[] {
    const now = this.#rest === '' ? [] : this.#cutter.line(this.#rest)
    this.#rest = ''
    return this.#lines([...now, ...this.#cutter.end()])
  }

  #lines(blocks: readonly Block[]): string[] {
    const width = this.#width()
    return blocks.flatMap((block) =>
      blockRows(block, width, this.#look).map((row) => paintRow(row, this.#look)),
    )
  }
}
