import fc from 'fast-check'
import {expect, test} from 'vitest'
import {BadLine, JsonLines} from '../../../src/lib/ollama/ndjson.ts'

function split(bytes: Uint8Array, cuts: readonly number[], maxBytes?: number) {
  const lines = new JsonLines(maxBytes)
  const out: unknown[] = []
  let from = 0
  for (const cut of [...cuts].sort((a, b) => a - b)) {
    out.push(...lines.push(bytes.subarray(from, cut)))
    from = cut
  }
  out.push(...lines.push(bytes.subarray(from)), ...lines.end())
  return out
}

test('the same lines come out wherever the stream is cut, also inside a character', () => {
  const objects = fc.array(fc.dictionary(fc.string(), fc.string({unit: 'grapheme'})))
  fc.assert(
    fc.property(objects, fc.array(fc.nat(400)), (values, cuts) => {
      const plain = values.map((value) => ({...value}))
      const bytes = Buffer.from(plain.map((value) => `${JSON.stringify(value)}\n`).join(''))
      expect(split(bytes, cuts)).toEqual(plain)
    }),
  )
})

test('the last line needs no newline, blank lines and carriage returns do not count', () => {
  expect(split(Buffer.from('{"a":1}\r\n\n\n{"b":2}'), [3])).toEqual([{a: 1}, {b: 2}])
})

test.each(['<html>\n', '"text"\n', '[1]\n', 'null\n', '{"a":\n'])('%j is refused', (text) => {
  expect(() => split(Buffer.from(text), [])).toThrow(BadLine)
})

test('a line that never ends is refused before it fills the memory', () => {
  const lines = new JsonLines(100)
  expect([...lines.push(Buffer.alloc(90, 'x'))]).toEqual([])
  expect(() => [...lines.push(Buffer.alloc(11, 'x'))]).toThrow(/100 bytes/)
})
