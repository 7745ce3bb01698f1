import {expect, test} from 'vitest'
import {formatAge, formatLabels} from '../../../src/lib/cluster/format.ts'

test.each([
  [-5000, 'now'],
  [1999, 'now'],
  [42_000, '42s'],
  [200_000, '3m'],
  [7_200_000, '2h'],
  [1_036_800_000, '12d'],
  [Number.NaN, 'unknown'],
])('an age of %d ms reads as %s', (ms, text) => {
  expect(formatAge(ms)).toBe(text)
})

test('labels stand in a fixed order, and none is never an empty column', () => {
  expect(formatLabels({tier: 'fast', gpu: 'a100'})).toBe('gpu=a100,tier=fast')
  expect(formatLabels({})).toBe('-')
})
