/** What a piece of text means; the theme decides how that looks. */
export type Tone = 'good' | 'bad' | 'warn' | 'dim' | 'strong'

const CODES: Readonly<Record<Tone, readonly [number, number]>> = {
  good: [32, 39],
  bad: [31, 39],
  warn: [33, 39],
  dim: [2, 22],
  strong: [1, 22],
}

/**
 * Whether to colour what goes to a stream. FORCE_COLOR decides first (`0` and `false` mean no), then
 * NO_COLOR, a dumb terminal and the user's theme `none` (OLLAMAX_THEME); without any of them a terminal is coloured.
 */
export function colorsOn(
  stream: {readonly isTTY?: boolean | undefined},
  env: Readonly<NodeJS.ProcessEnv>,
  theme = env.OLLAMAX_THEME,
): boolean {
  const forced = env.FORCE_COLOR
  if (forced !== undefined) return forced !== '0' && forced !== 'false'
  if (env.NO_COLOR || env.TERM === 'dumb' || theme === 'none') return false
  return stream.isTTY === true
}

/**
 * The terminal's ground: as is wanted (`dark`, `light`; default OLLAMAX_THEME), else what the terminal told in COLORFGBG
 * (`15;0`: white on black), else dark, as most are.
 */
export function shadeOf(
  env: Readonly<NodeJS.ProcessEnv>,
  wanted = env.OLLAMAX_THEME,
): 'dark' | 'light' {
  if (wanted === 'dark' || wanted === 'light') return wanted
  const ground = Number(env.COLORFGBG?.split(';').at(-1) || Number.NaN)
  return ground === 7 || ground >= 9 ? 'light' : 'dark'
}

/** The text in the colour of its meaning, or as it is. */
export function paint(tone: Tone, text: string, on: boolean): string {
  const [open, close] = CODES[tone]
  return on && text !== '' ? `\u001b[${open}m${text}\u001b[${close}m` : text
}

/**
 * Text of several lines, parts of which came from elsewhere, made safe for a terminal: line breaks, tabs
 * and the colours of `paint` stay, every other control character goes. Nothing a node says can then move
 * the cursor, set the title or fill the clipboard.
 */
export function harmless(text: string): string {
  return text.replace(FOREIGN, (_, ours: string | undefined) => ours ?? '')
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is taken out
const FOREIGN = /(\u001b\[(?:[12]|22|3[1-69])m)|[^\P{Cc}\n\t]/gu

/**
 * Text that came from elsewhere (a node, a file) made safe for a terminal and for one line: control
 * characters, escape sequences among them, become spaces.
 */
export function oneLine(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ')
}

/** A value as JSON that holds no control character at all: JSON itself lets those from 7f to 9f stand. */
export function jsonText(value: unknown, indent?: number): string {
  return JSON.stringify(value, null, indent).replace(
    /[\u007f-\u009f]/g,
    (char) => `\\u00${char.charCodeAt(0).toString(16)}`,
  )
}
