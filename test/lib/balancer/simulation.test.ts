import {expect, test} from 'vitest'
import {boundOf} from '../../../scripts/sim/bound.ts'
import {FLEETS} from '../../../scripts/sim/fleets.ts'
import type {PolicyName} from '../../../src/lib/balancer/policies.ts'
import {simulate} from '../../../src/lib/simulator/simulate.ts'
import {summaryOf} from '../../../src/lib/simulator/summary.ts'

// The same seed gives the same figures, so these are no measurements of the machine. `npm run sim` shows all.
const SEED = 1
const fleetOf = (name: string, seed = SEED) => {
  const fleet = FLEETS[name]?.(seed)
  if (!fleet) throw new Error(`no fleet ${name}`)
  return fleet
}
const simulated = (name: string, policy: PolicyName) =>
  summaryOf(simulate(fleetOf(name), policy, SEED))

test.each(['2 fast, 4 slow', '4 slots', 'slots unknown', 'ten models', 'conversations'])(
  'where nodes or models differ the default is far ahead: %s',
  (name) => {
    const ours = simulated(name, 'expected-time').p95
    expect(ours).toBeLessThanOrEqual(0.5 * simulated(name, 'round-robin').p95)
    expect(ours).toBeLessThanOrEqual(0.7 * simulated(name, 'least-loaded').p95)
  },
)

test.each(['equal', 'slots unknown', 'one dying'])(
  'and near to what nobody could beat: %s',
  (name) => {
    const {p95} = simulated(name, 'expected-time')
    const bound = boundOf(fleetOf(name))
    expect(p95).toBeGreaterThanOrEqual(bound.p95)
    expect(p95).toBeLessThanOrEqual(1.5 * bound.p95)
  },
)

test('of a node that refuses, fails and hangs only those suffer of whose answer something was sent', () => {
  expect(simulated('one dying', 'expected-time').failed).toBeLessThanOrEqual(2)
})

test.each([
  ['refuse', 1],
  ['refuse', 5],
  ['error', 1],
  ['hang', 2],
])(
  'a node that has recovered gets its first request within seconds and its share within a minute: %s, %d',
  (kind, seed) => {
    const fleet = fleetOf('one dying', seed)
    const {toMs = 0} = fleet.nodes[0]?.faults?.find((fault) => fault.kind === kind) ?? {}
    const sent = simulate(fleet, 'expected-time', seed).sent.filter(({atMs}) => atMs >= toMs)
    const its = sent.filter(({node}) => node === 'n0')
    expect((its[0]?.atMs ?? Number.POSITIVE_INFINITY) - toMs).toBeLessThan(15_000)
    const minute = (list: typeof sent) => list.filter(({atMs}) => atMs < toMs + 60_000).length
    expect(minute(its)).toBeGreaterThanOrEqual(minute(sent) / 8)
  },
)
