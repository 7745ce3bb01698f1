/** What a piece of the picture means; the theme decides how that looks. */
export type Tone =
  | 'plain'
  | 'good'
  | 'bad'
  | 'warn'
  | 'dim'
  | 'strong'
  | 'accent'
  | 'title'
  | 'selected'

/** How things look. Only the 16 colours that every terminal has. */
export interface Theme {
  /** The text in the colour of its meaning. */
  paint(tone: Tone, text: string): string
  readonly glyphs: Glyphs
}

export interface Glyphs {
  readonly ellipsis: string
  readonly up: string
  readonly down: string
  /** From nothing to all. */
  readonly bars: readonly string[]
  readonly rule: string
}

type Codes = Readonly<Record<Tone, readonly [open: string, close: string]>>

const BOTH = {
  plain: ['', ''],
  bad: ['31', '39'],
  dim: ['2', '22'],
  strong: ['1', '22'],
  title: ['7', '27'],
  selected: ['7', '27'],
} as const

/** Yellow and cyan cannot be read on white, blue hardly on black. */
const DARK: Codes = {...BOTH, good: ['32', '39'], warn: ['33', '39'], accent: ['36', '39']}
const LIGHT: Codes = {...BOTH, good: ['32', '39'], warn: ['35', '39'], accent: ['34', '39']}

const UNICODE: Glyphs = {
  ellipsis: '…',
  up: '▲',
  down: '▼',
  bars: [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'],
  rule: '─',
}
/** For a terminal whose locale is not UTF-8. */
const ASCII: Glyphs = {
  ellipsis: '~',
  up: '^',
  down: 'v',
  bars: [' ', '.', ':', '-', '=', '+', '*', '#', '@'],
  rule: '-',
}

export interface ThemeOptions {
  readonly shade: 'dark' | 'light'
  readonly color: boolean
  readonly unicode: boolean
}

/** Without colour nothing is emitted but text: what is selected has a mark of its own, and words say the rest. */
export function makeTheme({shade, color, unicode}: ThemeOptions): Theme {
  const codes = shade === 'light' ? LIGHT : DARK
  return {
    paint(tone, text) {
      if (!color || tone === 'plain' || text === '') return text
      const [open, close] = codes[tone]
      return `\u001b[${open}m${text}\u001b[${close}m`
    },
    glyphs: unicode ? UNICODE : ASCII,
  }
}

/** Whether the locale is UTF-8, by the variables in the order in which they hold; unknown counts as yes. */
export function speaksUnicode(env: Readonly<Record<string, string | undefined>>): boolean {
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG
  return !locale || /utf-?8/i.test(locale) || env.TERM_PROGRAM !== undefined
}
