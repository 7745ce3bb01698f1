import fc from 'fast-check'
import {expect, test} from 'vitest'
import {unifiedDiff} from '../../../src/lib/desired/unified.ts'

const diff = (a: string, b: string) => unifiedDiff({name: 'old', text: a}, {name: 'new', text: b})
const linesOf = (text: string) => (text === '' ? [] : text.slice(0, -1).split('\n'))

/** What `patch` makes of a text: each part is looked up by its numbers, and its old lines must be there. */
function patched(text: string, parts: readonly string[]): string {
  const before = linesOf(text)
  const after: string[] = []
  let at = 0
  for (const line of parts) {
    const [, start, count = '1', newStart, newCount = '1'] =
      /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@$/.exec(line) ?? []
    if (start !== undefined) {
      const from = Number(start) - (count === '0' ? 0 : 1)
      after.push(...before.slice(at, from))
      at = from
      expect(after.length).toBe(Number(newStart) - (newCount === '0' ? 0 : 1))
      continue
    }
    if (line[0] !== '+') expect(before[at++]).toBe(line.slice(1))
    if (line[0] !== '-') after.push(line.slice(1))
  }
  return [...after, ...before.slice(at)].map((line) => `${line}\n`).join('')
}

test('what differs is shown with three lines around it', () => {
  const a = 'one\ntwo\nthree\nfour\nfive\nsix\n'
  expect(diff(a, a.replace('five', '5'))).toBe(
    '--- old\n+++ new\n@@ -2,5 +2,5 @@\n two\n three\n four\n-five\n+5\n six',
  )
  expect(diff(a, a)).toBe('')
  expect(diff('', 'one\n')).toBe('--- old\n+++ new\n@@ -0,0 +1 @@\n+one')
})

test('one text becomes the other by it', () => {
  const text = fc
    .array(fc.constantFrom('a', 'b', 'c', 'd'), {maxLength: 40})
    .map((lines) => lines.map((line) => `${line}\n`).join(''))
  fc.assert(
    fc.property(text, text, (a, b) => {
      const [, , ...parts] = diff(a, b).split('\n')
      expect(patched(a, parts)).toBe(b)
    }),
    {numRuns: 1000},
  )
})
