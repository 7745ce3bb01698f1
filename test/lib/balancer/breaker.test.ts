import fc from 'fast-check'
import {describe, expect, test} from 'vitest'
import {Breaker} from '../../../src/lib/balancer/breaker.ts'
import {Trials} from '../../../src/lib/balancer/trials.ts'

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

describe('trials of what has failed of late', () => {
  /** Each is made as soon as it is due and fails after `costMs`; returns the pauses between them. */
  const pauses = (count: number, costMs: number, shown = false) => {
    const trials = new Trials()
    let nowMs = 0
    return Array.from({length: count}, () => {
      trials.failed({sentMs: nowMs, shown}, nowMs + costMs)
      nowMs += costMs
      const fromMs = nowMs
      while (!trials.due(nowMs)) nowMs += 500
      trials.given(nowMs)
      expect(trials.due(nowMs)).toBe(false)
      return nowMs - fromMs
    })
  }

  test('come the more seldom the more they cost, and never less often than once a minute', () => {
    expect(pauses(6, 1)).toEqual([1000, 2000, 4000, 8000, 8000, 8000])
    expect(pauses(6, 3000)).toEqual([1000, 2000, 4000, 8000, 12_000, 12_000])
    expect(pauses(8, 100_000).at(-1)).toBe(60_000)
    expect(pauses(8, 1, true).at(-1)).toBe(60_000)
  })

  test('are one failure when all that were under way fail, and none after a success', () => {
    const trials = new Trials()
    for (let one = 0; one < 16; one++) trials.failed({sentMs: 0, shown: false}, 10 + one)
    expect(trials.due(1009)).toBe(false)
    expect(trials.due(1010)).toBe(true)
    trials.succeeded()
    expect(trials.due(1e9)).toBe(false)
  })

  test('are cut short, but for one of eight: it may be slow only', () => {
    const trials = new Trials()
    const brief = Array.from({length: 16}, (_, at) => {
      trials.failed({sentMs: at, shown: false}, at + 0.5)
      return trials.brief
    })
    expect(brief.filter((one) => !one)).toHaveLength(2)
  })
})
