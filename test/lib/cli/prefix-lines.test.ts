import fc from 'fast-check'
import {expect, test} from 'vitest'
import {prefixLines} from '../../../src/lib/cli/prefix-lines.ts'

function collect(act: (lines: ReturnType<typeof prefixLines>) => void): string[] {
  const written: string[] = []
  const lines = prefixLines((line) => written.push(line), 3)
  act(lines)
  return written
}

test('lines of several sources stay whole', () => {
  const written = collect((lines) => {
    lines.write('a', Buffer.from('one\ntw'))
    lines.write('bb', Buffer.from('x\r\n'))
    lines.write('a', Buffer.from('o\n'))
    lines.end()
  })
  expect(written).toEqual(['a   | one\n', 'bb  | x\n', 'a   | two\n'])
})

test('what ends without a line end is written at the end', () => {
  expect(
    collect((l) => {
      l.write('a', Buffer.from('rest'))
      l.end()
    }),
  ).toEqual(['a   | rest\n'])
})

test('a line that never ends does not fill the memory', () => {
  const written = collect((lines) => lines.write('a', Buffer.alloc(200_000, 'x')))
  expect(written).toHaveLength(1)
})

test('however the bytes are cut, the text is the same', () => {
  fc.assert(
    fc.property(fc.string({unit: 'grapheme'}), fc.array(fc.nat(20)), (text, cuts) => {
      const bytes = Buffer.from(text.replaceAll('\r', ''))
      const whole = collect((lines) => {
        lines.write('a', bytes)
        lines.end()
      })
      const parts = collect((lines) => {
        let at = 0
        for (const cut of cuts) {
          lines.write('a', bytes.subarray(at, at + cut))
          at += cut
        }
        lines.write('a', bytes.subarray(at))
        lines.end()
      })
      expect(parts).toEqual(whole)
    }),
  )
})
