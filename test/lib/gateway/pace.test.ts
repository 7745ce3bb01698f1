import fc from 'fast-check'
import {expect, test} from 'vitest'
import {PACE, paceOf, pauseAfter} from '../../../src/lib/gateway/pace.ts'

const random = fc.double({min: 0, max: 1, noNaN: true})

test('a node that is down is asked again within five seconds, however long it has been', () => {
  fc.assert(
    fc.property(fc.integer({min: 1, max: 5000}), random, (failures, luck) => {
      const ms = pauseAfter({failures, busy: false}, PACE, luck)
      expect(ms).toBeLessThanOrEqual(5000)
      expect(ms).toBeGreaterThanOrEqual(250)
    }),
  )
})

test('the pauses grow, and differ among nodes that went down together', () => {
  const pause = (failures: number, luck: number) => pauseAfter({failures, busy: true}, PACE, luck)
  expect([1, 2, 3, 4, 5, 50].map((failures) => pause(failures, 1))).toEqual([
    500, 1000, 2000, 4000, 5000, 5000,
  ])
  expect(pause(9, 0)).toBe(2500)
})

test('a large fleet is looked at no more than 50 times a second, or 100 while it is down', () => {
  fc.assert(
    fc.property(fc.integer({min: 250, max: 5000}), fc.boolean(), random, (nodes, busy, luck) => {
      const pace = paceOf(nodes)
      const perS = (failures: number) => (nodes / pauseAfter({failures, busy}, pace, luck)) * 1000
      expect(perS(0)).toBeLessThanOrEqual(50.001)
      expect(perS(20)).toBeLessThanOrEqual(100.001)
    }),
  )
})

test('a node that does nothing for us is looked at more rarely', () => {
  expect(pauseAfter({failures: 0, busy: true}, PACE, 0)).toBe(2000)
  expect(pauseAfter({failures: 0, busy: false}, PACE, 0)).toBe(5000)
})
