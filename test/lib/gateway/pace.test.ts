import fc from 'fast-check'
import {expect, test} from 'vitest'
import {PACE, paceOf, pauseAfter} from '../../../src/lib/gateway/pace.ts'

const random = fc.double({min: 0, max: 1, noNaN: true})

test('a node that is down is asked again within five seconds, however long it has been', () => {
  fc.assert(
    fc.property(fc.integer({min: 1, max: 5000}), random, (failures, luck) => {
      const ms = pauseAfter({failures, interest: 'idle'}, PACE, luck)
      expect(ms).toBeLessThanOrEqual(5000)
      expect(ms).toBeGreaterThanOrEqual(250)
    }),
  )
})

test('the pauses grow, and differ among nodes that went down together', () => {
  const pause = (failures: number, luck: number) =>
    pauseAfter({failures, interest: 'busy'}, PACE, luck)
  expect([1, 2, 3, 4, 5, 50].map((failures) => pause(failures, 1))).toEqual([
    500, 1000, 2000, 4000, 5000, 5000,
  ])
  expect(pause(9, 0)).toBe(2500)
})

test('a large fleet is looked at no more than 50 times a second, or 100 while it is down', () => {
  const interest = fc.constantFrom('busy' as const, 'idle' as const)
  fc.assert(
    fc.property(fc.integer({min: 250, max: 5000}), interest, random, (nodes, why, luck) => {
      const pace = paceOf(nodes)
      const perS = (failures: number) =>
        (nodes / pauseAfter({failures, interest: why}, pace, luck)) * 1000
      expect(perS(0)).toBeLessThanOrEqual(50.001)
      expect(perS(20)).toBeLessThanOrEqual(100.001)
    }),
  )
})

test('while somebody watches, 200 nodes are looked at within half a second, and no more than 500 in one second', () => {
  const pauseMs = (nodes: number) =>
    pauseAfter({failures: 0, interest: 'watched'}, paceOf(nodes), 0)
  expect(pauseMs(1)).toBe(400)
  expect(pauseMs(200)).toBe(400)
  expect(pauseMs(5000)).toBe(10_000)
})

test('a node that does nothing for us is looked at more rarely', () => {
  expect(pauseAfter({failures: 0, interest: 'busy'}, PACE, 0)).toBe(2000)
  expect(pauseAfter({failures: 0, interest: 'idle'}, PACE, 0)).toBe(5000)
})
