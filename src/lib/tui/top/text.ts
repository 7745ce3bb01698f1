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
const MARK = /^[\p{Mn}\p{Me}]$/u
const EMOJI = /^\p{Emoji_Presentation}$/u

/** First and last of the wide ones of East Asia (Unicode TR 11), coarser where nothing is assigned between. */
const WIDE: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x2329, 0x232a],
  [0x2e80, 0x303e],
  [0x3041, 0x33ff],
  [0x3400, 0x4dbf],
  [0x4e00, 0x9fff],
  [0xa000, 0xa4cf],
  [0xa960, 0xa97f],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe10, 0xfe19],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x16fe0, 0x18cff],
  [0x1aff0, 0x1b2ff],
  [0x1f200, 0x1f2ff],
  [0x20000, 0x3fffd],
]

function charWidth(char: string): 0 | 1 | 2 {
  const code = char.codePointAt(0) ?? 0
  if (code < 0x300) return 1
  if (MARK.test(char)) return 0
  if (WIDE.some(([first, last]) => code >= first && code <= last)) return 2
  return EMOJI.test(char) ? 2 : 1
}
