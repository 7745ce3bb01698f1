import stringWidth from 'string-width'

/**
 * What came from elsewhere (a name, a log line), made fit to be drawn: every control character, mark of direction,
 * line separator and invisible letter is a space or gone, so that nothing can move the cursor or turn the line around.
 */
export function clean(text: string): string {
  return PLAIN.test(text) ? text : text.replace(GONE, '').replace(BLANK, ' ')
}

/** Columns that cleaned text takes on a terminal; wide letters take two, marks on letters none. */
export function widthOf(text: string): number {
  if (PLAIN.test(text)) return text.length
  let width = 0
  for (const char of text) width += charWidth(char)
  return width
}

export interface SizeOptions {
  readonly align?: 'left' | 'right'
  /** Stands for what was cut off; one column. */
  readonly ellipsis?: string
}

/** The text, cleaned, in exactly so many columns: filled with blanks or cut. */
export function sized(text: string, width: number, options: SizeOptions = {}): string {
  if (width <= 0) return ''
  const fine = clean(text)
  const wide = widthOf(fine)
  const kept = wide <= width ? fine : cut(fine, width, options.ellipsis ?? '…')
  const blanks = ' '.repeat(width - (wide <= width ? wide : widthOf(kept)))
  return options.align === 'right' ? blanks + kept : kept + blanks
}

/** The last columns of a text, for what is being typed: its end matters. */
export function sizedEnd(text: string, width: number): string {
  const fine = clean(text)
  if (widthOf(fine) <= width) return sized(fine, width)
  let kept = ''
  let left = width
  for (const char of [...fine].reverse()) {
    left -= charWidth(char)
    if (left < 0) break
    kept = char + kept
  }
  return sized(kept, width)
}

/** Cleaned text in lines of at most so many columns, parted between words where there are any. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  let used = 0
  const flush = () => {
    lines.push(line)
    line = ''
    used = 0
  }
  for (const word of clean(text).split(' ')) {
    const wide = widthOf(word)
    if (used > 0 && used + 1 + wide > width) flush()
    if (used > 0) {
      line += ' '
      used++
    }
    for (const char of word) {
      const columns = charWidth(char)
      if (used > 0 && used + columns > width) flush()
      line += char
      used += columns
    }
  }
  flush()
  return lines
}

function cut(text: string, width: number, ellipsis: string): string {
  let kept = ''
  let left = width - 1
  for (const char of text) {
    left -= charWidth(char)
    if (left < 0) break
    kept += char
  }
  return kept + ellipsis
}

/** Letters of one column that need no look; most of what is drawn. */
const PLAIN = /^[\u0020-\u007e]*$/
/** Joiners, variation selectors, marks of direction, tags: they are invisible, and change what stands beside them. */
const GONE = /[\p{Cf}\p{Cs}\p{Default_Ignorable_Code_Point}]/gu
const BLANK = /[\p{Cc}\p{Zl}\p{Zp}\u00a0]/gu
/** Of those that need a look, the widths that were found. */
const widths = new Map<string, number>()

function charWidth(char: string): number {
  if ((char.codePointAt(0) ?? 0) < 0x300) return 1
  const width = widths.get(char) ?? stringWidth(char)
  widths.set(char, width)
  return width
}
