import {roundDuration} from '../../cluster/size.ts'
import type {Editor} from './editor.ts'
import {hintLine} from './keymap.ts'
import {type Look, PLAIN, paintRow, type Style, span, widthOf} from './spans.ts'
import type {ChatState} from './state.ts'
import {charactersOf, wrapSpans} from './wrap.ts'

export interface Size {
  readonly columns: number
  readonly rows: number
}

/** The part of the screen that is drawn anew: its lines, and where the cursor stands among them. */
export interface Frame {
  readonly lines: readonly string[]
  readonly cursor: {readonly x: number; readonly y: number}
}

export const PROMPT = '>>> '
const EDIT_PROMPT = 'edit> '
export const MORE = '... '
const MENU_ROWS = 5
const SPINNER = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']
export const SPIN_MS = 160
const DIM: Style = {dim: true}

/** Columns for text: the last one stays free, because terminals differ in what they do behind it. */
export const textWidth = (columns: number) => Math.max(8, columns - 1)

/** What stands below what is written for good. Never as high as the terminal: such a frame could not be redrawn. */
export function frameOf(state: ChatState, size: Size, look: Look, nowMs: number): Frame {
  const width = textWidth(size.columns)
  const most = Math.max(3, size.rows - 1)
  const input = state.search
    ? searchLines(state, width)
    : inputLines(state, width, Math.max(1, Math.floor(most / 3)))
  const below = belowLines(state, width).slice(0, Math.max(0, most - input.lines.length - 1))
  const wait = waitLine(state, width, nowMs)
  const room = most - input.lines.length - below.length - wait.length
  const open = room > 0 ? state.open.slice(-room) : []
  const gap = open.length > 0 && room > open.length ? [''] : []
  const paint = (text: string, style: Style = PLAIN) => paintRow([span(text, style)], look)
  const above = [...open, ...wait.map((line) => paint(line, DIM)), ...gap]
  return {
    lines: [
      ...above,
      ...input.lines.map(([mark, text]) => paint(mark, {hue: 'cyan', bold: true}) + paint(text)),
      ...below.map(({text, style}) => paint(text, style)),
    ],
    cursor: {x: input.x, y: above.length + input.y},
  }
}

interface Input {
  readonly lines: ReadonlyArray<readonly [mark: string, text: string]>
  readonly x: number
  readonly y: number
}

function inputLines({editor, editing}: ChatState, width: number, most: number): Input {
  const prompt = editing ? EDIT_PROMPT : PROMPT
  const {rows, x, y} = layOut(editor, Math.max(1, width - prompt.length))
  const marks = rows.map(({begins}, at) =>
    at === 0 ? prompt : begins ? MORE.padStart(prompt.length) : ' '.repeat(prompt.length),
  )
  const first = Math.max(0, Math.min(y - most + 1, rows.length - most))
  const shown = rows.slice(first, first + most)
  return {
    lines: shown.map(({text}, at) => [marks[first + at] ?? '', text]),
    x: prompt.length + x,
    y: y - first,
  }
}

/** The text in rows of so many columns, and the cursor's place among them. */
export function layOut({text, at}: Editor, columns: number) {
  const rows: Array<{text: string; begins: boolean}> = []
  let x = 0
  let y = 0
  let offset = 0
  for (const line of text.split('\n')) {
    let row = ''
    let used = 0
    rows.push({text: row, begins: true})
    for (const character of charactersOf(line)) {
      const wide = widthOf(character)
      const shown = wide > columns ? '?' : character
      if (used + widthOf(shown) > columns) {
        row = ''
        used = 0
        rows.push({text: row, begins: false})
      }
      if (offset === at) [x, y] = [used, rows.length - 1]
      row += shown
      used += widthOf(shown)
      rows[rows.length - 1] = {text: row, begins: rows.at(-1)?.begins ?? true}
      offset += character.length
    }
    if (offset === at) {
      // Behind a full row the cursor stands at the beginning of the next.
      if (used >= columns) {
        rows.push({text: '', begins: false})
        used = 0
      }
      x = used
      y = rows.length - 1
    }
    offset += 1
  }
  return {rows, x, y}
}

function searchLines({search, history}: ChatState, width: number): Input {
  const found = search?.at === undefined ? '' : (history[search.at] ?? '').replaceAll('\n', ' ⏎ ')
  const failing = search?.at === undefined && search?.query !== '' ? 'nothing has ' : 'search '
  const mark = cutTo(`(${failing}"${search?.query ?? ''}") `, Math.max(8, Math.floor(width / 2)))
  return {lines: [[mark, cutTo(found, width - widthOf(mark))]], x: widthOf(mark), y: 0}
}

function belowLines(state: ChatState, width: number): Array<{text: string; style: Style}> {
  const {menu, hint, search, busy} = state
  if (hint !== undefined)
    return wrapSpans([span(hint)], width).map((row) => ({
      text: row.map(({text}) => text).join(''),
      style: DIM,
    }))
  if (menu) {
    const first = Math.max(0, menu.at - MENU_ROWS + 1)
    const shown = menu.candidates.slice(first, first + MENU_ROWS)
    const rest = menu.candidates.length - first - shown.length
    return [
      ...shown.map((word, at) => ({
        text: cutTo(`  ${word}`, width),
        style: first + at === menu.at ? {inverse: true} : DIM,
      })),
      ...(rest > 0 ? [{text: `  and ${rest} more`, style: DIM}] : []),
    ]
  }
  if (search) return [{text: cutTo(hintLine('search'), width), style: DIM}]
  if (busy) return []
  return state.editor.text === ''
    ? [{text: cutTo(`${hintLine('input')} · /help`, width), style: DIM}]
    : []
}

function waitLine({busy, wait}: ChatState, width: number, nowMs: number): string[] {
  if (!busy) return []
  const frame = SPINNER[Math.floor(nowMs / SPIN_MS) % SPINNER.length] ?? ''
  const since = wait ? nowMs - wait.sinceMs : 0
  const long = since >= 2000 ? ` (${roundDuration(Math.floor(since / 1000) * 1000)})` : ''
  return [cutTo(`${frame} ${wait?.text ?? 'answering'}${long} · Ctrl-C ends it`, width)]
}

function cutTo(text: string, width: number): string {
  const line = span(text).text.replaceAll('\n', ' ')
  if (widthOf(line) <= width) return line
  let shown = ''
  for (const character of charactersOf(line)) {
    if (widthOf(shown + character) > width - 1) break
    shown += character
  }
  return `${shown}…`
}
