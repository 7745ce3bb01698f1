import stringWidth from 'string-width'
import {clean} from './clean.ts'

/** A colour of the terminal's own sixteen, so that it fits whatever palette its owner has chosen. */
export type Hue = 'red' | 'green' | 'yellow' | 'blue' | 'magenta' | 'cyan'

/** How a piece of text looks. */
export interface Style {
  readonly bold?: boolean
  readonly dim?: boolean
  readonly italic?: boolean
  readonly underline?: boolean
  readonly strike?: boolean
  readonly inverse?: boolean
  readonly hue?: Hue
  /** Where it leads, shown as a link where the terminal can. */
  readonly href?: string
}

export interface Span {
  readonly text: string
  readonly style: Style
}

/** One row of the screen. */
export type Row = readonly Span[]

/** What the terminal can show, and what its owner wants. */
export interface Look {
  readonly color: boolean
  /** The background is light. */
  readonly light: boolean
  /** It understands OSC 8. */
  readonly links: boolean
}

export const PLAIN: Style = {}

/** A span of cleaned text. */
export const span = (text: string, style: Style = PLAIN): Span => ({text: clean(text), style})

/** Columns that a text takes on a terminal. */
export function widthOf(text: string): number {
  return ASCII.test(text) ? text.length : stringWidth(text)
}

export const rowWidth = (row: Row) => row.reduce((sum, {text}) => sum + widthOf(text), 0)

const ASCII = /^[ -~]*$/
const CODES: Readonly<Record<Exclude<keyof Style, 'hue' | 'href'>, number>> = {
  bold: 1,
  dim: 2,
  italic: 3,
  underline: 4,
  inverse: 7,
  strike: 9,
}
/** On a dark ground blue is hard to read, on a light one yellow and cyan are. */
const DARK: Readonly<Record<Hue, number>> = {
  red: 31,
  green: 32,
  yellow: 33,
  blue: 94,
  magenta: 35,
  cyan: 36,
}
const LIGHT: Readonly<Record<Hue, number>> = {...DARK, yellow: 35, blue: 34, cyan: 34}

/** The row as text for the terminal. Whatever its spans hold, only escape sequences of ours are in it. */
export function paintRow(row: Row, look: Look): string {
  return row
    .map(({text, style}) => paintSpan(clean(text).replaceAll('\n', ' '), style, look))
    .join('')
}

function paintSpan(text: string, style: Style, look: Look): string {
  if (text === '') return ''
  const codes = look.color ? codesOf(style, look) : []
  const painted = codes.length > 0 ? `\u001b[${codes.join(';')}m${text}\u001b[0m` : text
  const href = look.links && style.href !== undefined ? safeHref(style.href) : undefined
  return href === undefined ? painted : `\u001b]8;;${href}\u001b\\${painted}\u001b]8;;\u001b\\`
}

function codesOf(style: Style, {light}: Look): number[] {
  const codes = Object.entries(CODES).flatMap(([name, code]) =>
    style[name as keyof typeof CODES] ? [code] : [],
  )
  return style.hue === undefined ? codes : [...codes, (light ? LIGHT : DARK)[style.hue]]
}

/** Only what a browser or a mail program opens, and only in characters that cannot end the sequence. */
function safeHref(href: string): string | undefined {
  return /^(https?:\/\/|mailto:)[!-~]+$/.test(href) ? href : undefined
}
