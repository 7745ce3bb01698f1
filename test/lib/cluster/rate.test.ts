import fc from 'fast-check'
import {expect, test} from 'vitest'
import {formatRate, parseRate} from '../../../src/lib/cluster/rate.ts'

test.each([
  ['60/m', 60, '60/m'],
  ['2/s', 120, '120/m'],
  ['1000/h', 1000 / 60, '1000/h'],
  ['100/d', 100 / 1440, '100/d'],
  ['0.5/s', 30, '30/m'],
  ['1440/d', 1, '1/m'],
])('%s is %d a minute and is shown as %s', (text, perMinute, said) => {
  expect(parseRate(text)).toBeCloseTo(perMinute, 12)
  expect(formatRate(parseRate(text))).toBe(said)
})

test.each([
  '',
  '60',
  '0/m',
  '-1/m',
  '60/min',
  '60 / m',
  '1e3/m',
  '/m',
  '9'.repeat(400) + '/s',
  'x',
])('%j is no rate', (text) => expect(() => parseRate(text)).toThrow('is not a rate'))

test('what is shown is read as what it was', () => {
  const unit = fc.constantFrom('s', 'm', 'h', 'd')
  fc.assert(
    fc.property(fc.integer({min: 1, max: 1_000_000}), unit, (count, per) => {
      const perMinute = parseRate(`${count}/${per}`)
      expect(parseRate(formatRate(perMinute)) / perMinute).toBeCloseTo(1, 9)
    }),
  )
})
