import fc from 'fast-check'
import {describe, expect, test} from 'vitest'
import {DEFAULT_LIMITS} from '../../../src/lib/balancer/limits.ts'
import {patienceFor} from '../../../src/lib/balancer/patience.ts'
import {PrefixIndex} from '../../../src/lib/balancer/prefix-index.ts'
import {RetryBudget} from '../../../src/lib/balancer/retry-budget.ts'
import {Slots} from '../../../src/lib/balancer/slots.ts'

describe('beginnings of prompts', () => {
  test('the longest known one is found, and a longer prompt adds only what is new', () => {
    const index = new PrefixIndex(100)
    index.add([1, 2, 3])
    expect([index.match([1, 2, 3, 4]), index.match([1, 9]), index.match([9])]).toEqual([3, 1, 0])
    index.add([1, 2, 3, 4])
    expect(index.size).toBe(4)
    index.clear()
    expect(index.match([1])).toBe(0)
  })

  test('bounded, and what is known is always known from its beginning', () => {
    const chain = fc.tuple(fc.nat(4), fc.integer({min: 1, max: 12}))
    fc.assert(
      fc.property(fc.array(chain, {maxLength: 30}), fc.integer({min: 1, max: 20}), (all, most) => {
        const index = new PrefixIndex(most)
        const hashes = ([head, length]: readonly [number, number]) =>
          Array.from({length}, (_, at) => head * 100 + at)
        for (const one of all) {
          index.add(hashes(one))
          expect(index.size).toBeLessThanOrEqual(2 * most)
          const matched = index.match(hashes(one))
          expect(matched).toBe(Math.min(one[1], most))
        }
      }),
    )
  })
})

test('retries are never more than their share of the requests in the window, or the floor', () => {
  const limits = {...DEFAULT_LIMITS, retryFloor: 3}
  const step = fc.record({passedMs: fc.nat(2500), requests: fc.nat(15), tries: fc.nat(8)})
  fc.assert(
    fc.property(fc.array(step, {maxLength: 40}), (steps) => {
      const budget = new RetryBudget(limits)
      let nowMs = 1_000_000
      for (const {passedMs, requests, tries} of steps) {
        nowMs += passedMs
        for (let one = 0; one < requests; one++) budget.request(nowMs)
        let given = 0
        for (let one = 0; one < tries; one++) if (budget.take(nowMs)) given++
        const counts = budget.counts(nowMs)
        if (given > 0)
          expect(counts.retries).toBeLessThanOrEqual(Math.max(3, counts.requests * 0.2))
      }
    }),
  )
})

describe('slots', () => {
  test('a node whose own account hides that requests wait is found out by its throughput', () => {
    const slots = new Slots(64)
    let nowMs = 0
    for (let turn = 0; turn < 200; turn++) {
      const atOnce = slots.count
      // Four at once are answered in 100 ms; more only wait for each other, and the node says nothing of it.
      const tookMs = 100 * Math.max(1, atOnce / 4)
      for (let one = 1; one <= atOnce; one++)
        slots.learn({atOnce, queueMs: 0, tookMs, work: 1}, nowMs)
      nowMs += tookMs
    }
    expect(slots.count).toBe(4)
  })

  test('what was in vain is tried again, after longer and longer', () => {
    const slots = new Slots(64)
    const run = (atOnce: number, queueMs: number, nowMs: number) => {
      for (let one = 0; one < 2; one++)
        slots.learn({atOnce, queueMs, tookMs: 1000, work: 100}, nowMs)
    }
    run(1, 0, 0)
    expect(slots.count).toBe(2)
    run(2, 900, 1)
    expect(slots.count).toBe(1)
    run(1, 0, 29_000)
    expect(slots.count).toBe(1)
    run(1, 0, 30_002)
    expect(slots.count).toBe(2)
    run(2, 900, 30_003)
    run(1, 0, 89_000)
    expect(slots.count).toBe(1)
    run(1, 0, 90_004)
    expect(slots.count).toBe(2)
  })
})

describe('patience', () => {
  const terms = {
    ...{waitMs: 0, loadMs: 0, promptMs: 100, answerMs: 2000, networkMs: 1, riskMs: 0, harmMs: 0},
    ...{totalMs: 2101, guessed: []},
  }
  const usual = {
    terms,
    aheadMs: 0,
    answerMs: 20,
    worst: 1,
    msPerToken: 20,
    loaded: true,
    others: true,
  }

  test('a warm node that others can stand in for is given up after a multiple of what is usual', () => {
    const {firstByteMs} = patienceFor(usual)
    expect(firstByteMs).toBeGreaterThan(1000)
    expect(firstByteMs).toBeLessThan(10_000)
  })

  test.each([
    ['a load', {...usual, loaded: false, terms: {...terms, loadMs: 20_000}}],
    ['the only node', {...usual, others: false}],
  ])('%s is not cut short', (_, expected) => {
    expect(patienceFor(expected).firstByteMs).toBeGreaterThanOrEqual(600_000)
  })

  test('an answer that comes as a whole is waited for as a whole', () => {
    const {firstByteMs} = patienceFor({...usual, answerMs: usual.terms.answerMs})
    expect(firstByteMs).toBeGreaterThan(patienceFor(usual).firstByteMs)
    expect(firstByteMs).toBeGreaterThan(8 * 2000)
  })
})
