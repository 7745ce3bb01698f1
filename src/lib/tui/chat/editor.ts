import {clean} from './clean.ts'
import {charactersOf} from './wrap.ts'

/** A text being written. `at`: where the cursor is, in units of the string, never inside a character. */
export interface Editor {
  readonly text: string
  readonly at: number
  /** What was cut last. */
  readonly cut: string
}

export const EMPTY: Editor = {text: '', at: 0, cut: ''}

/** The same editor with another text, the cursor at its end. */
export const withText = (editor: Editor, text: string): Editor => {
  const whole = clean(text)
  return {...editor, text: whole, at: whole.length}
}

/** Puts text where the cursor is. Control characters but line breaks go. */
export function insert({text, at, cut}: Editor, more: string): Editor {
  const whole = clean(more.replace(/\r\n?/g, '\n'))
  return {text: text.slice(0, at) + whole + text.slice(at), at: at + whole.length, cut}
}

type Edit = (editor: Editor) => Editor

const move =
  (where: (editor: Editor) => number): Edit =>
  (editor) => ({...editor, at: where(editor)})

/** Takes away what lies between the cursor and another place. */
const remove =
  (where: (editor: Editor) => number, keep: boolean): Edit =>
  (editor) => {
    const {text, at} = editor
    const other = where(editor)
    const [from, to] = other < at ? [other, at] : [at, other]
    if (from === to) return editor
    return {
      text: text.slice(0, from) + text.slice(to),
      at: from,
      cut: keep ? text.slice(from, to) : editor.cut,
    }
  }

const left = ({text, at}: Editor) =>
  at - (charactersOf(lineBefore(text, at)).at(-1)?.length ?? Math.min(1, at))
const right = ({text, at}: Editor) =>
  at + (charactersOf(lineAfter(text, at))[0]?.length ?? (at < text.length ? 1 : 0))
const lineStart = ({text, at}: Editor) => at - lineBefore(text, at).length
const lineEnd = ({text, at}: Editor) => at + lineAfter(text, at).length
const wordLeft = ({text, at}: Editor) =>
  at - (/[\p{L}\p{N}_]*[^\p{L}\p{N}_]*$/u.exec(text.slice(0, at))?.[0].length ?? 0)
const wordRight = ({text, at}: Editor) =>
  at + (/^[^\p{L}\p{N}_]*[\p{L}\p{N}_]*/u.exec(text.slice(at))?.[0].length ?? 0)
const blankLeft = ({text, at}: Editor) => at - (/\S*\s*$/.exec(text.slice(0, at))?.[0].length ?? 0)

const lineBefore = (text: string, at: number) => text.slice(text.lastIndexOf('\n', at - 1) + 1, at)
const lineAfter = (text: string, at: number) => {
  const end = text.indexOf('\n', at)
  return text.slice(at, end < 0 ? text.length : end)
}

/** What a key can do to the text; the names stand in the keymap. */
export const EDITS = {
  left: move(left),
  right: move(right),
  wordLeft: move(wordLeft),
  wordRight: move(wordRight),
  lineStart: move(lineStart),
  lineEnd: move(lineEnd),
  backspace: remove(left, false),
  delete: remove(right, false),
  cutWord: remove(blankLeft, true),
  cutWordRight: remove(wordRight, true),
  cutToStart: remove(lineStart, true),
  cutToEnd: remove(
    (editor) => (lineEnd(editor) > editor.at ? lineEnd(editor) : right(editor)),
    true,
  ),
  yank: (editor: Editor) => insert(editor, editor.cut),
  newline: (editor: Editor) => insert(editor, '\n'),
} satisfies Readonly<Record<string, Edit>>

/** The cursor one line up or down, in about the same column; undefined where there is no such line. */
export function moveLine(editor: Editor, by: -1 | 1): Editor | undefined {
  const {text, at} = editor
  const column = charactersOf(lineBefore(text, at)).length
  const start = lineStart(editor)
  const from = by < 0 ? start - 1 : lineEnd(editor) + 1
  if (from < 0 || from > text.length) return undefined
  const begin = by < 0 ? text.lastIndexOf('\n', from - 1) + 1 : from
  const line = charactersOf(lineAfter(text, begin))
  return {...editor, at: begin + line.slice(0, column).join('').length}
}

const MARK = '"""'

/** Whether Enter goes on with the text instead of sending it: inside `"""`, or behind a backslash at its end. */
export function isUnfinished({text, at}: Editor): 'quoted' | 'continued' | undefined {
  const begun = text.trimStart()
  if (begun.startsWith(MARK) && !begun.slice(MARK.length).trimEnd().endsWith(MARK)) return 'quoted'
  return at === text.length && /(^|[^\\])\\$/.test(text) ? 'continued' : undefined
}

/** The text as it is meant: without the `"""` around it. */
export function meantText(text: string): string {
  const whole = text.trim()
  if (!whole.startsWith(MARK) || !whole.endsWith(MARK) || whole.length < 2 * MARK.length)
    return text
  return whole.slice(MARK.length, -MARK.length).replace(/^\n|\n$/g, '')
}
