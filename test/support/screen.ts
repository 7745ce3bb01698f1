import {clean, widthOf} from '../../src/lib/tui/top/text.ts'

/** A terminal that knows only what our painter may say; anything else that reaches it is an error. */
export interface Screen {
  write(text: string): void
  /** What stands there, without colours and blanks at the ends. */
  text(): string
  /** Texts that came, as they came. */
  readonly written: readonly string[]
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control sequences are what is read
const SEQUENCE = /^\u001b\[(\??)([\d;]*)([A-Za-z])/

export function makeScreen(): Screen {
  const rows: string[][] = []
  const written: string[] = []
  let row = 0
  let column = 0
  const put = (char: string) => {
    const wide = widthOf(char)
    if (clean(char) !== char) throw new Error(`a terminal may not get ${JSON.stringify(char)}`)
    rows[row] ??= []
    const line = rows[row] ?? []
    if (wide === 0) line[column - 1] += char
    else for (let at = 0; at < wide; at++) line[column + at] = at === 0 ? char : ''
    column += wide
  }
  const obey = (mark: string, numbers: string, letter: string) => {
    if (mark === '?' && /[hl]/.test(letter)) return
    if (letter === 'm') return
    if (letter === 'K') rows[row] = []
    else if (letter === 'H') {
      const [y = '1', x = '1'] = numbers.split(';')
      row = Number(y) - 1
      column = Number(x) - 1
    } else throw new Error(`a terminal may not get CSI ${mark}${numbers}${letter}`)
  }
  return {
    written,
    write(text) {
      written.push(text)
      for (let rest = text; rest !== ''; ) {
        const [all, mark = '', numbers = '', letter = ''] = SEQUENCE.exec(rest) ?? []
        if (all) obey(mark, numbers, letter)
        else put(String.fromCodePoint(rest.codePointAt(0) ?? 0))
        rest = rest.slice(all ? all.length : (rest.codePointAt(0) ?? 0) > 0xffff ? 2 : 1)
      }
    },
    text: () =>
      Array.from(rows, (line) =>
        Array.from(line ?? [], (cell) => cell ?? ' ')
          .join('')
          .trimEnd(),
      )
        .join('\n')
        .trimEnd(),
  }
}

/** The text without colours. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: likewise
export const uncoloured = (text: string): string => text.replace(/\u001b\[[\d;]*m/g, '')
