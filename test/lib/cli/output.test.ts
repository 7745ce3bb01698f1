import {stripVTControlCharacters} from 'node:util'
import fc from 'fast-check'
import {expect, test} from 'vitest'
import {shrink} from '../../../src/lib/cli/draw-table.ts'
import {table} from '../../../src/lib/cli/output.ts'
import {colorsOn, harmless, jsonText, oneLine, paint} from '../../../src/lib/cli/paint.ts'

const COLUMNS = ['NAME', 'STATE', 'WHY']
const ROWS = [
  ['gpu-1', {text: 'up', tone: 'good'}, '-'],
  ['a-node-with-a-long-name', {text: 'down', tone: 'bad'}, 'no SSH server answered at 10.0.0.7:22'],
] as const

test('without a terminal: one line per row, tabs between, no header, no colour', async () => {
  expect(await table(COLUMNS, ROWS, {tty: false, color: true})).toBe(
    'gpu-1\tup\t-\na-node-with-a-long-name\tdown\tno SSH server answered at 10.0.0.7:22',
  )
})

test('on a terminal: a header and aligned columns without lines', async () => {
  expect(await table(COLUMNS, ROWS, {tty: true, width: 100, color: false})).toMatchInlineSnapshot(`
    "NAME                      STATE   WHY
    gpu-1                     up      -
    a-node-with-a-long-name   down    no SSH server answered at 10.0.0.7:22"
  `)
})

test('on a narrow terminal the widest value is cut, and no line is wider', async () => {
  const text = await table(COLUMNS, ROWS, {tty: true, width: 40, color: false})
  expect(text.split('\n').every((line) => line.length <= 40)).toBe(true)
  expect(text).toContain('…')
  expect(text).toContain('down')
})

test('colours do not change the layout', async () => {
  const plain = await table(COLUMNS, ROWS, {tty: true, width: 60, color: false})
  const colored = await table(COLUMNS, ROWS, {tty: true, width: 60, color: true})
  expect(colored).not.toBe(plain)
  expect(stripVTControlCharacters(colored)).toBe(plain)
})

test('wide characters take two columns', async () => {
  const rows = [
    ['日本', 'x'],
    ['abcd', 'x'],
  ]
  const text = await table(['NAME', 'B'], rows, {tty: true, width: 80, color: false})
  expect(text).toBe('NAME   B\n日本   x\nabcd   x')
})

test('a value with line breaks, tabs or escapes stays one harmless cell', async () => {
  const rows = [['a\tb\nc', '\u001b[2Jx']]
  expect(await table(['A', 'B'], rows, {tty: false})).toBe('a b c\t [2Jx')
  expect(await table(['A', 'B'], rows, {tty: true, width: 80})).not.toContain('\u001b[2J')
})

test('no rows print nothing', async () => {
  expect(await table(COLUMNS, [], {tty: true})).toBe('')
  expect(await table(COLUMNS, [], {tty: false})).toBe('')
})

test('columns are shrunk to the width, never grown, and never below what can be read', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({min: 4, max: 200}), {minLength: 1, maxLength: 9}),
      fc.integer({min: 10, max: 240}),
      (natural, width) => {
        const widths = shrink(natural, width)
        const sum = widths.reduce((a, b) => a + b, 0)
        expect(widths.every((w, i) => w <= (natural[i] ?? 0))).toBe(true)
        expect(sum <= width || widths.every((w) => w <= 9)).toBe(true)
        expect(widths.every((w, i) => w >= Math.min(9, natural[i] ?? 0))).toBe(true)
      },
    ),
  )
})

test.each([
  [{}, true, undefined, true],
  [{}, false, undefined, false],
  [{NO_COLOR: '1'}, true, undefined, false],
  [{NO_COLOR: ''}, true, undefined, true],
  [{TERM: 'dumb'}, true, undefined, false],
  [{FORCE_COLOR: '1', NO_COLOR: '1'}, false, undefined, true],
  [{FORCE_COLOR: '0'}, true, undefined, false],
  [{}, true, 'none', false],
])('colours with %j, terminal %s, theme %s: %s', (env, isTTY, theme, on) => {
  expect(colorsOn({isTTY}, env, theme)).toBe(on)
})

test('paint closes what it opens, and colours nothing where it is off', () => {
  expect(paint('bad', 'x', true)).toBe('\u001b[31mx\u001b[39m')
  expect(paint('bad', 'x', false)).toBe('x')
  expect(paint('bad', '', true)).toBe('')
  expect(oneLine('a\r\n\u0007b')).toBe('a b')
})

test('a foreign text of several lines keeps them, and can do nothing to a terminal', () => {
  expect(harmless(`${paint('bad', 'a', true)}\tb\r\nc`)).toBe(`${paint('bad', 'a', true)}\tb\nc`)
  for (const tone of ['good', 'bad', 'warn', 'dim', 'strong'] as const)
    expect(harmless(paint(tone, 'x', true))).toBe(paint(tone, 'x', true))
  expect(harmless('\u001b]0;title\u0007\u001b[2J\u009b1A\u001b[8mx')).toBe(']0;title[2J1A[8mx')
  fc.assert(
    fc.property(fc.string({unit: 'binary'}), (text) => {
      expect(stripVTControlCharacters(harmless(text))).not.toMatch(/[^\P{Cc}\n\t]/u)
    }),
  )
})

test('JSON says the same without any control character', () => {
  fc.assert(
    fc.property(fc.string({unit: 'binary'}), (text) => {
      const json = jsonText({text})
      expect(json).not.toMatch(/\p{Cc}/u)
      expect(JSON.parse(json)).toEqual({text})
    }),
  )
  expect(jsonText({a: '\u009b2J'})).toBe('{"a":"\\u009b2J"}')
})
