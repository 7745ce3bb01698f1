import fc from 'fast-check'
import {expect, test} from 'vitest'
import {Window} from '../../../src/lib/batch/window.ts'

/** A fleet with so many slots, each of which takes `tookMs`; `size` requests are under way all the time. */
function feed(window: Window, slots: number, answers: number, tookMs = 1000): number {
  for (let at = 0; at < answers; at++) {
    const waiting = Math.max(0, window.size - slots)
    const queueMs = (waiting * tookMs) / slots
    window.answered({queueMs, tookMs: tookMs + queueMs})
  }
  return window.size
}

test.each([1, 4, 16, 60, 300])('keeps %i slots busy, and lets few more wait', (slots) => {
  const size = feed(new Window(), slots, 4000)
  expect(size).toBeGreaterThanOrEqual(slots + 1)
  expect(size).toBeLessThanOrEqual(slots * 2 + 12)
})

test('grows with slots that come, and shrinks when they go', () => {
  const window = new Window()
  feed(window, 4, 500)
  expect(feed(window, 40, 3000)).toBeGreaterThan(40)
  expect(feed(window, 4, 4000)).toBeLessThan(20)
})

test('a given number stays', () => {
  const window = new Window(3)
  feed(window, 100, 500)
  window.refused()
  expect(window.size).toBe(3)
})

test('whatever it is told, there is always one and never more than 512', () => {
  const ms = fc.double({min: 0, max: 1e9, noNaN: true})
  const told = fc.oneof(fc.record({queueMs: ms, tookMs: ms}), fc.constant('refused' as const))
  fc.assert(
    fc.property(fc.array(told, {maxLength: 300}), (all) => {
      const window = new Window()
      for (const one of all) {
        if (one === 'refused') window.refused()
        else window.answered(one)
        expect(window.size).toBeGreaterThanOrEqual(1)
        expect(window.size).toBeLessThanOrEqual(512)
      }
    }),
  )
})
