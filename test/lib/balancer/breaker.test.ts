import fc from 'fast-check'
import {expect, test} from 'vitest'
import {Breaker} from '../../../src/lib/balancer/breaker.ts'

const opened = (nowMs = 0) => {
  const breaker = new Breaker()
  breaker.fail(breaker.take(), nowMs, {atOnce: true})
  return breaker
}

test('three failures in a row open it, a success between them starts the count anew', () => {
  const breaker = new Breaker()
  const fail = () => breaker.fail(breaker.take(), 0, {atOnce: false})
  expect([fail(), fail()]).toEqual([false, false])
  breaker.succeed(breaker.take())
  expect([fail(), fail(), fail()]).toEqual([false, false, true])
  expect(breaker.allows(999)).toBe(false)
})

test('half-open it lets exactly one through, and that one decides', () => {
  const breaker = opened()
  expect(breaker.state(1000)).toBe('half-open')
  const probe = breaker.take()
  expect(breaker.allows(1000)).toBe(false)
  expect(breaker.fail(probe, 1100, {atOnce: false})).toBe(true)
  expect([breaker.allows(3099), breaker.allows(3100)]).toEqual([false, true])
  expect(breaker.succeed(breaker.take())).toBe(true)
  expect(breaker.state(3100)).toBe('closed')
})

test('a probe that says nothing makes room for another one', () => {
  const breaker = opened()
  const probe = breaker.take()
  breaker.release(probe)
  expect(breaker.allows(1000)).toBe(true)
})

test('what was under way when it opened neither closes it nor opens it for longer', () => {
  const breaker = new Breaker()
  const [early, late] = [breaker.take(), breaker.take()]
  breaker.fail(breaker.take(), 0, {atOnce: true})
  expect(breaker.succeed(early)).toBe(false)
  expect(breaker.fail(late, 900, {atOnce: true})).toBe(false)
  expect(breaker.state(1000)).toBe('half-open')
})

test('a probe of an earlier opening is no probe of this one', () => {
  const breaker = opened()
  const stale = breaker.take()
  breaker.fail(stale, 1000, {atOnce: false})
  const probe = breaker.take()
  breaker.release(stale)
  expect(breaker.succeed(stale)).toBe(false)
  expect(breaker.allows(3000)).toBe(false)
  expect(breaker.succeed(probe)).toBe(true)
})

test('whatever comes in whatever order, there is never a second probe at a time', () => {
  const step = fc.record({
    what: fc.constantFrom('take', 'ok', 'fail', 'hang', 'release', 'hint'),
    which: fc.nat(20),
    passedMs: fc.nat(3000),
  })
  fc.assert(
    fc.property(fc.array(step, {maxLength: 60}), (steps) => {
      const breaker = new Breaker()
      let nowMs = 0
      // A probe is out from its sending until the breaker has changed its state or it has come back.
      const out: Array<{readonly ticket: number; probe: boolean}> = []
      for (const {what, which, passedMs} of steps) {
        nowMs += passedMs
        const held = out[which % Math.max(1, out.length)]
        if (what === 'hint') breaker.tryNow(nowMs)
        else if (what === 'take') {
          if (!breaker.allows(nowMs)) continue
          const probe = breaker.state(nowMs) === 'half-open'
          if (probe) expect(out.filter((one) => one.probe)).toEqual([])
          out.push({ticket: breaker.take(), probe})
        } else if (held) {
          out.splice(out.indexOf(held), 1)
          if (what === 'release') breaker.release(held.ticket)
          else {
            const changed =
              what === 'ok'
                ? breaker.succeed(held.ticket)
                : breaker.fail(held.ticket, nowMs, {atOnce: what === 'hang'})
            // What was out before the change says nothing any more.
            if (changed) for (const one of out) one.probe = false
          }
        }
      }
    }),
  )
})
