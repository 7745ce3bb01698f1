import fc from 'fast-check'
import {expect, test} from 'vitest'
import {boundOf} from '../../../scripts/sim/bound.ts'
import {FLEETS} from '../../../scripts/sim/fleets.ts'
import {type Coming, leastLate} from '../../../scripts/sim/late.ts'
import {POLICY_NAMES} from '../../../src/lib/balancer/policies.ts'
import {Chance} from '../../../src/lib/simulator/clock.ts'
import {type Fleet, simulate} from '../../../src/lib/simulator/simulate.ts'
import {summaryOf} from '../../../src/lib/simulator/summary.ts'

const policies = fc.constantFrom(...POLICY_NAMES)

/** Below it, no run of any policy may be. */
function expectAbove(fleet: Fleet, policy: (typeof POLICY_NAMES)[number], seed: number): void {
  const bound = boundOf(fleet)
  const run = summaryOf(simulate(fleet, policy, seed))
  for (const figure of ['mean', 'p50', 'p95', 'p99', 'makespan'] as const)
    expect(run[figure]).toBeGreaterThanOrEqual(bound[figure] * (1 - 1e-9))
}

/** By trying all: the least number to leave out so that the others, in order of coming, are in time. */
function leastLateByTrying(coming: readonly Coming[], speed: number, withinMs: number): number {
  let least = coming.length
  for (let set = 0; set < 2 ** coming.length; set++) {
    const chosen = coming.filter((_, at) => (set >> at) & 1)
    let nowMs = 0
    const inTime = chosen.every(({atMs, work}) => {
      nowMs = Math.max(nowMs, atMs) + work / speed
      return nowMs <= atMs + withinMs
    })
    if (inTime) least = Math.min(least, coming.length - chosen.length)
  }
  return least
}

test('the least number that must be late is what trying all finds', () => {
  const one = fc.record({atMs: fc.nat(40), work: fc.integer({min: 1, max: 30})})
  const some = fc.array(one, {maxLength: 9})
  fc.assert(
    fc.property(some, fc.integer({min: 1, max: 3}), fc.nat(40), (unsorted, speed, withinMs) => {
      const coming = unsorted.toSorted((a, b) => a.atMs - b.atMs)
      expect(leastLate(coming, speed, withinMs)).toBe(leastLateByTrying(coming, speed, withinMs))
    }),
    {numRuns: 1000},
  )
})

const kind = fc.record({
  factor: fc.constantFrom(1, 1.5, 4),
  slots: fc.integer({min: 1, max: 4}),
  latencyMs: fc.integer({min: 1, max: 30}),
})

test('no policy is ever below the bound, on whatever fleet', () => {
  fc.assert(
    fc.property(
      fc.array(kind, {minLength: 1, maxLength: 5}),
      fc.record({models: fc.integer({min: 1, max: 3}), warm: fc.boolean(), told: fc.boolean()}),
      fc.record({everyMs: fc.integer({min: 20, max: 4000}), seed: fc.nat()}),
      policies,
      (kinds, {models: count, warm, told}, {everyMs, seed}, policy) => {
        const chance = new Chance(seed)
        const models = Array.from({length: count}, (_, at) => ({
          name: `m${at}:latest`,
          sizeBytes: (at + 1) * 3e9,
        }))
        let atMs = 0
        const arrivals = Array.from({length: 80}, () => {
          atMs += chance.exponential(everyMs)
          const model = models[chance.zipf(count)]?.name ?? ''
          const [promptTokens, answerTokens] = [chance.lengths(300), chance.lengths(100)]
          return {atMs, model, promptTokens, answerTokens}
        })
        const nodes = kinds.map(({factor, slots, latencyMs}) => ({
          ...{promptTps: 2000 / factor, answerTps: 60 / factor, slots, latencyMs},
          ...{crowding: 0.15, memoryBytes: 12e9, loadBytesPerMs: 1e6},
        }))
        const preloaded = () => (warm ? [models[0]?.name ?? ''] : [])
        const fleet = {about: '', nodes, models, arrivals, preloaded, slotsUnknown: !told}
        expectAbove(fleet, policy, seed)
      },
    ),
    {numRuns: 60},
  )
})

test.each(['flash crowd', 'conversations'])('nor on those of the simulation: %s', (name) => {
  fc.assert(
    fc.property(fc.integer({min: 1, max: 1000}), policies, (seed, policy) => {
      const fleet = FLEETS[name]?.(seed)
      if (!fleet) throw new Error(`no fleet ${name}`)
      expectAbove(fleet, policy, seed)
    }),
    {numRuns: 3},
  )
})

test('a crowd that one machine cannot do in time makes as many late as there is no time for', () => {
  const coming = Array.from({length: 100}, () => ({atMs: 0, work: 10}))
  expect(leastLate(coming, 1, 500)).toBe(50)
  expect(leastLate(coming, 2, 500)).toBe(0)
})
