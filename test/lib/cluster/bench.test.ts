import fc from 'fast-check'
import {expect, test} from 'vitest'
import {
  type AtOnceFigure,
  compareFigures,
  median,
  slotsFrom,
  wantsMore,
} from '../../../src/lib/cluster/bench.ts'

const round = (requests: number, tps: number, waited = 0): AtOnceFigure => ({requests, tps, waited})

test.each([
  [[], undefined],
  [[3], 3],
  [[1, 5], 3],
  [[9, 1, 2], 2],
  [[4, 1, 2, 3], 2.5],
])('the middle one of %j is %s', (values, middle) => expect(median(values)).toBe(middle))

test.each([
  ['no round', [], undefined],
  ['all of two wait but one', [round(1, 10), round(2, 11, 1)], 1],
  ['four of eight run', [round(1, 10), round(2, 20), round(4, 39), round(8, 40, 4)], 4],
  ['nobody waits, and more gives nothing', [round(1, 10), round(2, 18), round(4, 18.5)], 2],
  ['ever more', [round(1, 10), round(2, 20), round(4, 40)], 4],
])('slots: %s', (_, rounds, slots) => expect(slotsFrom(rounds)).toBe(slots))

test('rounds go on until some wait, nothing is gained, or the most is reached', () => {
  expect(wantsMore([], 16)).toBe(true)
  expect(wantsMore([round(1, 10)], 16)).toBe(true)
  expect(wantsMore([round(1, 10)], 1)).toBe(false)
  expect(wantsMore([round(1, 10), round(2, 10.5)], 16)).toBe(false)
  expect(wantsMore([round(1, 10), round(2, 20, 1)], 16)).toBe(false)
  expect(wantsMore([round(4, 10), round(8, 20)], 16)).toBe(true)
  expect(wantsMore([round(8, 10), round(16, 20)], 16)).toBe(false)
})

test('a figure is compared with the one of the same name, and with nothing where there is none', () => {
  const before = {prefill: [{tokens: 128, counted: 130, tps: 100}], atOnce: [], loadMs: 1000}
  const now = {...before, loadMs: 500, decodeTps: 7}
  expect(compareFigures(now, before)).toEqual([
    {name: 'load', value: 500, unit: 'ms', last: 1000, ratio: 0.5},
    {name: 'prefill of 128', value: 100, unit: 'tokens/s', last: 100, ratio: 1},
    {name: 'decode', value: 7, unit: 'tokens/s'},
  ])
  expect(compareFigures(now, undefined).some((figure) => 'ratio' in figure)).toBe(false)
})

test('slots are never more than were tried, and never fewer than one', () => {
  const rounds = fc
    .array(fc.record({tps: fc.double({min: 1, max: 1e4, noNaN: true}), share: fc.nat(100)}), {
      minLength: 1,
      maxLength: 8,
    })
    .map((all) =>
      all.map(({tps, share}, at) => round(2 ** at, tps, Math.floor((2 ** at * share) / 100))),
    )
  fc.assert(
    fc.property(rounds, (all) => {
      const slots = slotsFrom(all) ?? 0
      expect(slots).toBeGreaterThanOrEqual(1)
      expect(slots).toBeLessThanOrEqual(2 ** (all.length - 1))
    }),
  )
})
