import fc from 'fast-check'
import {describe, expect, test} from 'vitest'
import {
  EDITS,
  EMPTY,
  insert,
  isUnfinished,
  meantText,
  moveLine,
  withText,
} from '../../../../src/lib/tui/chat/editor.ts'
import {layOut} from '../../../../src/lib/tui/chat/frame.ts'
import {widthOf} from '../../../../src/lib/tui/chat/spans.ts'
import {charactersOf} from '../../../../src/lib/tui/chat/wrap.ts'

/** A text whose cursor is written as `|`. */
const at = (marked: string) => ({...EMPTY, text: marked.replace('|', ''), at: marked.indexOf('|')})
const marked = ({text, at}: {text: string; at: number}) => `${text.slice(0, at)}|${text.slice(at)}`

test.each<readonly [keyof typeof EDITS, string, string]>([
  ['left', 'ab|', 'a|b'],
  ['left', '|ab', '|ab'],
  ['left', 'a\n|b', 'a|\nb'],
  ['left', '日👩‍👩‍👧|', '日|👩‍👩‍👧'],
  ['right', '|e\u0301x', 'e\u0301|x'],
  ['right', 'a|\nb', 'a\n|b'],
  ['right', 'a|', 'a|'],
  ['wordLeft', 'one two-three|', 'one two-|three'],
  ['wordLeft', 'one  |', '|one  '],
  ['wordRight', 'one| two x', 'one two| x'],
  ['wordRight', '|été x', 'été| x'],
  ['lineStart', 'a\nbc|d', 'a\n|bcd'],
  ['lineEnd', 'a|b\nc', 'ab|\nc'],
  ['backspace', 'a👩‍👩‍👧|b', 'a|b'],
  ['backspace', 'a\n|b', 'a|b'],
  ['backspace', '|a', '|a'],
  ['delete', 'a|bc', 'a|c'],
  ['delete', 'a|\nb', 'a|b'],
  ['delete', 'a|', 'a|'],
  ['cutWord', 'one two/three |x', 'one |x'],
  ['cutWordRight', 'a| two x', 'a| x'],
  ['cutToStart', 'a\nbc|d', 'a\n|d'],
  ['cutToEnd', 'a|b\nc', 'a|\nc'],
  ['cutToEnd', 'a|\nc', 'a|c'],
  ['newline', 'a|b', 'a\n|b'],
])('%s: %j becomes %j', (edit, before, after) => {
  expect(marked(EDITS[edit](at(before)))).toBe(after)
})

test('what was cut is put back, as often as wanted', () => {
  const cut = EDITS.cutToStart(at('one two|'))
  expect(marked(EDITS.yank(EDITS.yank(cut)))).toBe('one twoone two|')
  expect(EDITS.backspace(insert(cut, 'x')).cut).toBe('one two')
})

test.each<readonly [string, -1 | 1, string | undefined]>([
  ['abc\nde|f', -1, 'ab|c\ndef'],
  ['a\ndef|', -1, 'a|\ndef'],
  ['ab|c\nd', 1, 'abc\nd|'],
  ['日本|\nabc', 1, '日本\nab|c'],
  ['a|bc', -1, undefined],
  ['a\n|bc', 1, undefined],
  ['a\n|', -1, '|a\n'],
  ['a|\n', 1, 'a\n|'],
])('from %j by %j to %j', (before, by, after) => {
  const moved = moveLine(at(before), by)
  expect(moved && marked(moved)).toBe(after)
})

test.each([
  ['a', undefined],
  ['a\\', 'continued'],
  ['a\\\\', undefined],
  ['"""', 'quoted'],
  ['"""a\nb', 'quoted'],
  ['"""a"""', undefined],
  ['say """', undefined],
])('%j is %j', (text, expected) => expect(isUnfinished(withText(EMPTY, text))).toBe(expected))

test.each([
  ['"""\na\nb\n"""', 'a\nb'],
  ['"""a"""', 'a'],
  ['"""', '"""'],
  [' a ', ' a '],
])('%j means %j', (text, expected) => expect(meantText(text)).toBe(expected))

describe('whatever is done', () => {
  const edit = fc.oneof(
    fc.constantFrom(...(Object.keys(EDITS) as (keyof typeof EDITS)[])).map((name) => EDITS[name]),
    fc.string({unit: 'grapheme'}).map((text) => (editor: typeof EMPTY) => insert(editor, text)),
    fc
      .string({unit: 'binary', maxLength: 5})
      .map((text) => (editor: typeof EMPTY) => insert(editor, text)),
    fc
      .constantFrom(-1 as const, 1 as const)
      .map((by) => (editor: typeof EMPTY) => moveLine(editor, by) ?? editor),
  )
  const editor = fc
    .array(edit, {maxLength: 30})
    .map((edits) => edits.reduce((one, change) => change(one), EMPTY))

  test('the cursor is inside the text, and no control character is in it', () => {
    fc.assert(
      fc.property(editor, ({text, at}) => {
        expect(at).toBeGreaterThanOrEqual(0)
        expect(at).toBeLessThanOrEqual(text.length)
        expect(text).not.toMatch(/[^\P{Cc}\n]/u)
      }),
    )
  })

  test('it is laid out in rows that fit, all of it, with the cursor among them', () => {
    fc.assert(
      fc.property(editor, fc.integer({min: 12, max: 80}), (one, columns) => {
        const {rows, x, y} = layOut(one, columns)
        for (const {text} of rows) expect(widthOf(text)).toBeLessThanOrEqual(columns)
        expect(rows.map(({text, begins}, i) => (i > 0 && begins ? '\n' : '') + text).join('')).toBe(
          one.text,
        )
        expect(y).toBeLessThan(rows.length)
        expect(x).toBeLessThan(Math.max(1, columns))
      }),
    )
  })

  test('left and right go over characters, never into them', () => {
    fc.assert(
      fc.property(fc.string({unit: 'grapheme', maxLength: 12}), (text) => {
        const clean = withText(EMPTY, text.replaceAll('\n', ''))
        let one = clean
        for (const character of charactersOf(clean.text).reverse()) {
          const before = one.at
          one = EDITS.left(one)
          expect(before - one.at).toBe(character.length)
        }
        expect(one.at).toBe(0)
      }),
    )
  })
})
