import {type Row, type Span, type Style, span, widthOf} from './spans.ts'

const graphemes = new Intl.Segmenter(undefined, {granularity: 'grapheme'})

/** What the reader sees as one character, each. */
export function charactersOf(text: string): string[] {
  if (/^[ -~]*$/.test(text)) return [...text]
  return Array.from(graphemes.segment(text), ({segment}) => segment)
}

/**
 * Breaks spans into rows of at most `width` columns: at spaces, else anywhere, and at each line break. A character that
 * is wider than a row becomes `?`. Always at least one row.
 */
export function wrapSpans(spans: readonly Span[], width: number): Row[] {
  const rows = new Rows(Math.max(1, width))
  for (const {text, style} of spans)
    for (const piece of text.split(/(\n| +)/)) {
      if (piece === '\n') rows.breakLine()
      else if (piece.startsWith(' ')) rows.space(piece, style)
      else if (piece !== '') rows.word(piece, style)
    }
  return rows.all()
}

/** As `wrapSpans`, but keeps every space and breaks only where a row is full: for code. */
export function chopSpans(spans: readonly Span[], width: number): Row[] {
  const rows = new Rows(Math.max(1, width))
  for (const {text, style} of spans)
    text.split('\n').forEach((line, at) => {
      if (at > 0) rows.breakLine()
      rows.chop(line, style)
    })
  return rows.all()
}

/** Words in a column to the left, what they mean to the right of them; a long one has a row of its own. */
export function pairRows(pairs: ReadonlyArray<readonly [string, string]>, width: number): Row[] {
  const most = Math.max(4, Math.floor(width / 3))
  const column = Math.min(most, Math.max(0, ...pairs.map(([left]) => widthOf(left)))) + 2
  return pairs.flatMap(([left, right]) => {
    const rows = wrapSpans([span(right)], width - column)
    const long = widthOf(left) > column - 2
    const heads = long ? wrapSpans([span(left)], width) : []
    const beside = rows.map((row, at) => {
      const text = at === 0 && !long ? left : ''
      return [span(text + ' '.repeat(Math.max(0, column - widthOf(text)))), ...row]
    })
    return [...heads, ...beside]
  })
}

class Rows {
  readonly #width: number
  readonly #done: Span[][] = []
  #row: Span[] = []
  #at = 0
  /** A word is complete when a space or the end comes: it may go over several spans. */
  #word: Span[] = []
  #wordWidth = 0
  #spaces: Span[] = []

  constructor(width: number) {
    this.#width = width
  }

  all(): Row[] {
    this.breakLine()
    return this.#done
  }

  breakLine(): void {
    this.#flush()
    this.#spaces = []
    this.#newRow()
  }

  space(text: string, style: Style): void {
    this.#flush()
    this.#spaces.push({text, style})
  }

  word(text: string, style: Style): void {
    if (/^[ -~]*$/.test(text)) {
      this.#grow(text, style)
      return
    }
    // Between two wide characters a line may be broken: their scripts have no spaces.
    for (const character of charactersOf(text)) {
      const wide = widthOf(character) > 1
      if (wide) this.#flush()
      this.#grow(character, style)
      if (wide) this.#flush()
    }
  }

  chop(text: string, style: Style): void {
    if (/^[ -~]*$/.test(text)) {
      for (let rest = text; rest !== ''; ) {
        if (this.#at >= this.#width) this.#newRow()
        const part = rest.slice(0, this.#width - this.#at)
        this.#put({text: part, style}, part.length)
        rest = rest.slice(part.length)
      }
      return
    }
    for (const character of charactersOf(text)) {
      const columns = widthOf(character)
      const shown = columns > this.#width ? '?' : character
      if (this.#at + Math.min(columns, this.#width) > this.#width) this.#newRow()
      this.#put({text: shown, style}, widthOf(shown))
    }
  }

  #grow(text: string, style: Style): void {
    this.#word.push({text, style})
    this.#wordWidth += widthOf(text)
  }

  #flush(): void {
    if (this.#word.length === 0) return
    const word = this.#word
    const width = this.#wordWidth
    this.#word = []
    this.#wordWidth = 0
    const gap = this.#spaces.reduce((sum, {text}) => sum + text.length, 0)
    if (this.#at + gap + width <= this.#width) {
      for (const space of this.#spaces) this.#put(space, space.text.length)
      for (const part of word) this.#put(part, 0)
      this.#at += width
    } else {
      if (this.#at > 0) this.#newRow()
      if (width <= this.#width) {
        for (const part of word) this.#put(part, 0)
        this.#at += width
      } else for (const part of word) this.chop(part.text, part.style)
    }
    this.#spaces = []
  }

  #put(part: Span, columns: number): void {
    const last = this.#row.at(-1)
    if (last && last.style === part.style)
      this.#row[this.#row.length - 1] = {text: last.text + part.text, style: part.style}
    else this.#row.push(part)
    this.#at += columns
  }

  #newRow(): void {
    this.#done.push(this.#row)
    this.#row = []
    this.#at = 0
  }
}
