import fc from 'fast-check'
import {expect, test} from 'vitest'
import {
  formatDuration,
  formatSize,
  parseDuration,
  parseSize,
  roundDuration,
  roundSize,
} from '../../../src/lib/cluster/size.ts'
import {OllamaxError} from '../../../src/lib/errors.ts'

test.each([
  ['0', 0],
  ['250ms', 250],
  ['30s', 30_000],
  ['1.5s', 1500],
  ['5m', 300_000],
  ['1h30m', 5_400_000],
  ['2d', 172_800_000],
  [' 2s ', 2000],
])('the duration %j is %d ms', (text, ms) => expect(parseDuration(text)).toBe(ms))

test.each(['', '30', '-5s', '5 s', '5min', 's', '1e3s', '1s2', 'forever', '9999999999999d'])(
  '%j is no duration',
  (text) => {
    expect(() => parseDuration(text)).toThrow(
      expect.toSatisfy((error) => OllamaxError.is(error, 'BAD_INPUT')),
    )
  },
)

test('a number without unit is answered with a unit', () => {
  const suggestions = (work: () => unknown) => {
    try {
      work()
    } catch (error) {
      return (error as OllamaxError).suggestions
    }
    return []
  }
  expect(suggestions(() => parseDuration('30'))).toEqual(['say the unit, for example 30s'])
  expect(suggestions(() => parseSize('24'))).toEqual(['say the unit, for example 24GiB'])
})

test.each([
  ['0', 0],
  ['512B', 512],
  ['24GiB', 24 * 2 ** 30],
  ['24GB', 24e9],
  ['512MiB', 512 * 2 ** 20],
  ['1.5TiB', 1.5 * 2 ** 40],
  ['10 kB', 10_000],
  ['10KB', 10_000],
])('the size %j is %d bytes', (text, bytes) => expect(parseSize(text)).toBe(bytes))

test.each(['', '24', '-1GB', '24G', '24gib', '1e3MB', 'GiB', '9999999TiB'])(
  '%j is no size',
  (text) => {
    expect(() => parseSize(text)).toThrow(
      expect.toSatisfy((error) => OllamaxError.is(error, 'BAD_INPUT')),
    )
  },
)

test('what is formatted is parsed to the same number', () => {
  fc.assert(fc.property(fc.nat(2 ** 52), (ms) => parseDuration(formatDuration(ms)) === ms))
  fc.assert(fc.property(fc.nat(2 ** 52), (bytes) => parseSize(formatSize(bytes)) === bytes))
  const round = fc.tuple(fc.integer({min: 1, max: 999}), fc.constantFrom('GiB', 'GB', 'MiB', 'MB'))
  fc.assert(fc.property(round, ([n, unit]) => parseSize(formatSize(parseSize(`${n}${unit}`))) > 0))
})

test.each([
  [0, '0ms'],
  [12.4, '12ms'],
  [1300, '1.3s'],
  [42_400, '42s'],
  [125_000, '2m5s'],
  [11_400_000, '3h10m'],
  [352_800_000, '4d2h'],
  [999.9, '1.0s'],
  [59_999, '1m'],
])('%d ms is %j for people', (ms, text) => expect(roundDuration(ms)).toBe(text))

test.each([
  [0, '0B'],
  [980, '980B'],
  [4.7 * 2 ** 30, '4.7GiB'],
  [512 * 2 ** 20, '512MiB'],
  [1536, '1.5KiB'],
])('%d bytes are %j for people', (bytes, text) => expect(roundSize(bytes)).toBe(text))
