import fc from 'fast-check'
import {expect, test} from 'vitest'
import {RateLimiter} from '../../../src/lib/auth/rate-limit.ts'

const START_MS = 1_800_000_000_000
const ok = {kind: 'ok'}

test('a minute of requests goes at once, then one each time the bucket has room for one', () => {
  const limiter = new RateLimiter()
  const key = {id: 'a', ratePerMinute: 60}
  for (let n = 0; n < 60; n++) expect(limiter.take(key, START_MS)).toEqual(ok)
  expect(limiter.take(key, START_MS)).toEqual({kind: 'wait', retryAfterMs: 1000})
  expect(limiter.take(key, START_MS + 400)).toEqual({kind: 'wait', retryAfterMs: 600})
  expect(limiter.take(key, START_MS + 1000)).toEqual(ok)
  expect(limiter.take(key, START_MS + 1000)).toEqual({kind: 'wait', retryAfterMs: 1000})
  expect(limiter.take(key, START_MS + 10 * 60_000)).toEqual(ok)
})

test('keys do not share a bucket, and one without a rate has none', () => {
  const limiter = new RateLimiter()
  expect(limiter.take({id: 'a', ratePerMinute: 1}, START_MS)).toEqual(ok)
  expect(limiter.take({id: 'a', ratePerMinute: 1}, START_MS).kind).toBe('wait')
  expect(limiter.take({id: 'b', ratePerMinute: 1}, START_MS)).toEqual(ok)
  for (let n = 0; n < 1000; n++) expect(limiter.take({id: 'c'}, START_MS)).toEqual(ok)
})

test('a rate below one a minute lets one through at a time', () => {
  const limiter = new RateLimiter()
  const key = {id: 'a', ratePerMinute: 1 / 60}
  expect(limiter.take(key, START_MS)).toEqual(ok)
  expect(limiter.take(key, START_MS)).toEqual({kind: 'wait', retryAfterMs: 3_600_000})
  expect(limiter.take(key, START_MS + 3_600_000)).toEqual(ok)
})

test('a clock that is set back by an hour costs one turn, not an hour', () => {
  const limiter = new RateLimiter()
  const key = {id: 'a', ratePerMinute: 6}
  for (let n = 0; n < 6; n++) limiter.take(key, START_MS)
  const backMs = START_MS - 3_600_000
  expect(limiter.take(key, backMs)).toEqual({kind: 'wait', retryAfterMs: 10_000})
  expect(limiter.take(key, backMs + 10_000)).toEqual(ok)
})

test('a rate that was lowered holds at once', () => {
  const limiter = new RateLimiter()
  limiter.take({id: 'a', ratePerMinute: 1 / 60}, START_MS)
  expect(limiter.take({id: 'a', ratePerMinute: 600}, START_MS)).toEqual({
    kind: 'wait',
    retryAfterMs: 100,
  })
})

const rates = fc.double({min: 0.01, max: 10_000, noNaN: true})
const gaps = fc.array(fc.double({min: 0, max: 20_000, noNaN: true}), {maxLength: 300})

test('over T minutes at most rate x (T + 1) pass, and one at least', () => {
  fc.assert(
    fc.property(rates, gaps, (ratePerMinute, steps) => {
      const limiter = new RateLimiter()
      let [nowMs, passed] = [START_MS, 0]
      for (const step of [0, ...steps]) {
        nowMs += step
        if (limiter.take({id: 'a', ratePerMinute}, nowMs).kind === 'ok') passed++
      }
      const minutes = (nowMs - START_MS) / 60_000
      expect(passed).toBeGreaterThanOrEqual(1)
      expect(passed).toBeLessThanOrEqual(
        Math.max(1, ratePerMinute) + ratePerMinute * (minutes + 0.001) + 0.001,
      )
    }),
  )
})

test('who waits as long as told passes, and not much earlier', () => {
  fc.assert(
    fc.property(rates, gaps, (ratePerMinute, steps) => {
      const limiter = new RateLimiter()
      const key = {id: 'a', ratePerMinute}
      let nowMs = START_MS
      for (const step of steps) {
        nowMs += step
        const taken = limiter.take(key, nowMs)
        if (taken.kind === 'ok') continue
        expect(limiter.take(key, nowMs + taken.retryAfterMs - 2).kind).toBe(
          taken.retryAfterMs > 2 ? 'wait' : expect.anything(),
        )
        nowMs += taken.retryAfterMs
        expect(limiter.take(key, nowMs)).toEqual(ok)
      }
    }),
  )
})

test('keys that were quiet are forgotten, those that were not keep their limits', () => {
  const limiter = new RateLimiter()
  const busy = {id: 'busy', ratePerMinute: 1 / 60}
  limiter.take(busy, START_MS)
  for (let n = 0; n < 5000; n++) limiter.take({id: `k${n}`, ratePerMinute: 1e6}, START_MS + n)
  expect(limiter.take(busy, START_MS + 5000).kind).toBe('wait')
})
