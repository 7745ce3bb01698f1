import fc from 'fast-check'
import {expect, test} from 'vitest'
import {clean, sized, sizedEnd, widthOf, wrap} from '../../../../src/lib/tui/top/text.ts'

/** Whatever a name or a log line may hold. */
const anything = fc.oneof(
  fc.string({unit: 'binary'}),
  fc.string({unit: 'grapheme'}),
  fc.string({
    unit: fc.constantFrom(...'\u001b\u009b[]0123;mHJK?hl\u0007\r\n\u202e\u200d日e\u0301🚀'),
  }),
)

test('nothing that a terminal obeys is left, whatever a text holds', () => {
  fc.assert(
    fc.property(anything, (text) => {
      expect(clean(text)).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u)
      expect(clean(clean(text))).toBe(clean(text))
    }),
  )
})

test('a text fits exactly, whatever it holds and however wide the place is', () => {
  fc.assert(
    fc.property(
      anything,
      fc.integer({min: 0, max: 60}),
      fc.constantFrom<'left' | 'right'>('left', 'right'),
      (text, width, align) => {
        expect(widthOf(sized(text, width, {align}))).toBe(width)
        expect(widthOf(sizedEnd(text, width))).toBe(width)
      },
    ),
  )
})

test('wrapped lines are no wider than asked, and hold all that is not blank', () => {
  fc.assert(
    fc.property(anything, fc.integer({min: 2, max: 40}), (text, width) => {
      const lines = wrap(text, width)
      for (const line of lines) expect(widthOf(line)).toBeLessThanOrEqual(width)
      expect(lines.join('').replaceAll(' ', '')).toBe(clean(text).replaceAll(' ', ''))
    }),
  )
})

test.each([
  ['abc', 3],
  ['日本語', 6],
  ['한국', 4],
  ['e\u0301', 1],
  ['🚀', 2],
  ['ｶﾞ', 2],
  ['ＡＢ', 4],
  ['', 0],
])('%j takes %d columns', (text, width) => {
  expect(widthOf(text)).toBe(width)
})

test.each([
  ['abcdef', 4, 'left', 'abc…'],
  ['日本語', 5, 'left', '日本…'],
  ['日本語', 4, 'left', '日… '],
  ['ab', 4, 'right', '  ab'],
  ['a\u001b[2Jb', 9, 'left', 'a [2Jb   '],
  ['x\u202egnp', 5, 'left', 'xgnp '],
] as const)('%j in %d columns, %s', (text, width, align, expected) => {
  expect(sized(text, width, {align})).toBe(expected)
})
