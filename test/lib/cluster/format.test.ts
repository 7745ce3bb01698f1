import fc from 'fast-check'
import {expect, test} from 'vitest'
import {formatAge, formatBytes, formatLabels, formatMs} from '../../../src/lib/cluster/format.ts'

test.each([
  [0, '0 B'],
  [1, '1 B'],
  [1023, '1023 B'],
  [1024, '1 KiB'],
  [1536, '1.5 KiB'],
  [1024 ** 2 - 1, '1 MiB'],
  [93 * 1024 ** 2, '93 MiB'],
  [100.4 * 1024 ** 2, '100 MiB'],
  [24 * 1024 ** 3, '24 GiB'],
  [1.5 * 1024 ** 4, '1.5 TiB'],
  [-1, 'unknown'],
  [Number.NaN, 'unknown'],
])('%d bytes read as %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text)
})

test.each([
  [0, '0ms'],
  [840, '840ms'],
  [999.6, '1.0s'],
  [1234, '1.2s'],
  [59_949, '59.9s'],
  [59_951, '1m'],
  [200_000, '3m 20s'],
  [3_599_600, '1h'],
  [18_120_000, '5h 2m'],
  [86_400_000, '1d'],
  [273_600_000, '3d 4h'],
  [-1, 'unknown'],
  [Number.POSITIVE_INFINITY, 'unknown'],
])('%d ms read as %s', (ms, text) => {
  expect(formatMs(ms)).toBe(text)
})

test('a longer time never reads as a shorter one', () => {
  const worth = (text: string) =>
    [...text.matchAll(/([\d.]+)(ms|s|m|h|d)/g)].reduce(
      (sum, [, n, unit]) =>
        sum + Number(n) * ({ms: 1, s: 1e3, m: 6e4, h: 36e5, d: 864e5}[unit ?? ''] ?? Number.NaN),
      0,
    )
  fc.assert(
    fc.property(fc.nat(1e9), fc.nat(1e9), (a, b) => {
      expect(worth(formatMs(Math.min(a, b)))).toBeLessThanOrEqual(worth(formatMs(Math.max(a, b))))
    }),
  )
})

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
