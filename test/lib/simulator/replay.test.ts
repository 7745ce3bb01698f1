import {expect, test} from 'vitest'
import {FLEETS} from '../../../scripts/sim/fleets.ts'
import type {PolicyName} from '../../../src/lib/balancer/policies.ts'
import type {Recording} from '../../../src/lib/cluster/recording.ts'
import {replay} from '../../../src/lib/simulator/replay.ts'
import {simulate} from '../../../src/lib/simulator/simulate.ts'
import {recordedNode, recordedRequest, recording} from '../../support/recording.ts'

/** What a gateway would have recorded of a simulated fleet under that policy. */
function recordedOf(name: string, policy: PolicyName): Recording {
  const fleet = FLEETS[name]?.(1)
  if (!fleet) throw new Error(`no fleet ${name}`)
  const {answered} = simulate(fleet, policy, 1)
  const [model] = fleet.models
  const nodes = fleet.nodes.map(({promptTps, answerTps, slots, crowding}, at) =>
    recordedNode(`n${at}`, {
      ...{model: model?.name ?? '', promptTps, answerTps, slots, crowding},
    }),
  )
  const requests = answered.map(({index, node, firstMs, totalMs}) => {
    const arrival = fleet.arrivals[index]
    return recordedRequest(
      Math.round(arrival?.atMs ?? 0),
      {
        ...{id: `${index}`, model: model?.name ?? '', node, firstByteMs: firstMs, totalMs},
        ...{promptTokens: arrival?.promptTokens ?? 0, answerTokens: arrival?.answerTokens ?? 0},
      },
      {promptTokens: arrival?.promptTokens ?? 0, blockTokens: 64},
    )
  })
  return recording(nodes, requests)
}
const within = (actual: number | null, wanted: number | null, share: number) => {
  expect(actual).toBeGreaterThan((wanted ?? Number.NaN) * (1 - share))
  expect(actual).toBeLessThan((wanted ?? Number.NaN) * (1 + share))
}

test('under the policy that was in force a replay comes to what was measured', () => {
  const {measured, replayed, requests} = replay(recordedOf('2 fast, 4 slow', 'round-robin'), [
    'round-robin',
  ])
  expect(requests).toBe(2000)
  const [again] = replayed
  for (const what of ['mean', 'p50', 'p95'] as const) {
    within(again?.total[what] ?? null, measured.total[what], 0.1)
    within(again?.first[what] ?? null, measured.first[what], 0.1)
  }
  within(again?.makespanMs ?? null, measured.makespanMs, 0.1)
  for (const [at, {share}] of measured.shares.entries())
    within(again?.shares[at]?.share ?? null, share, 0.1)
})

test('and under another one to what that one would have given', () => {
  const {replayed} = replay(recordedOf('2 fast, 4 slow', 'round-robin'), ['expected-time'])
  const really = replay(recordedOf('2 fast, 4 slow', 'expected-time'), []).measured
  within(replayed[0]?.total.p95 ?? null, really.total.p95, 0.15)
  const fast = replayed[0]?.shares.slice(0, 2).reduce((sum, {share}) => sum + share, 0)
  expect(fast).toBeGreaterThan(0.6)
})

test('the same recording gives the same figures, in whatever order its requests stand', () => {
  const requests = Array.from({length: 40}, (_, at) => recordedRequest(at * 900))
  const nodes = [recordedNode('n1'), recordedNode('n2', {answerTps: 20})]
  const policies = ['random', 'expected-time']
  const once = replay(recording(nodes, requests), policies)
  expect(replay(recording(nodes, requests.toReversed()), policies)).toEqual(once)
})

test('what was not answered, or nobody knows the length, speed or node of, is left out and counted', () => {
  const {requests, leftOut} = replay(
    recording(
      [recordedNode('n1')],
      [
        recordedRequest(0),
        recordedRequest(1, {outcome: 'cancelled'}),
        recordedRequest(2, {outcome: 'refused', node: null, answerTokens: null}),
        recordedRequest(3, {answerTokens: null}),
        recordedRequest(4, {model: 'other:latest'}),
        recordedRequest(5, {}, {only: 'gone'}),
        recordedRequest(6, {answerTokens: null}, {needs: 'embedding', streams: false}),
      ],
    ),
    ['expected-time'],
  )
  expect(requests).toBe(2)
  expect(leftOut).toEqual([
    {why: 'not answered', count: 2},
    {why: 'tokens not told', count: 1},
    {why: 'speed not known', count: 1},
    {why: 'node not there', count: 1},
  ])
})

test('a speed that was never measured on a node is told as unknown, and the other nodes stand for it', () => {
  const {promptTps: _p, answerTps: _a, loadMs: _l, ...bare} = recordedNode('n2').replicas[0] ?? {}
  const nodes = [
    recordedNode('n1', {answerTps: 30}),
    {...recordedNode('n2'), replicas: [bare as never]},
  ]
  const asked = [recordedRequest(0, {}, {only: 'n1'}), recordedRequest(9000, {}, {only: 'n2'})]
  const {unknown, replayed} = replay(recording(nodes, asked), ['expected-time'])
  expect(unknown).toEqual([
    {node: 'n2', model: 'llama3.2:latest', what: ['prompt', 'answer', 'load']},
  ])
  within(replayed[0]?.total.p99 ?? null, replayed[0]?.total.p50 ?? null, 0.01)
})

test('models that were cold when they were first asked have to be loaded again', () => {
  const cold = [recordedRequest(0, {reason: 'cold'}), recordedRequest(20_000)]
  const [one] = replay(recording([recordedNode('n1')], cold), ['expected-time']).replayed
  expect(one?.loads).toBe(1)
  expect(one?.first.p99).toBeGreaterThan(5000)
  const warm = [recordedRequest(0), recordedRequest(20_000)]
  expect(replay(recording([recordedNode('n1')], warm), ['latency']).replayed[0]?.loads).toBe(0)
})

test('who asks for a larger context has the model loaded anew', () => {
  const asked = [recordedRequest(0), recordedRequest(20_000, {}, {numCtx: 16_384})]
  const [one] = replay(recording([recordedNode('n1')], asked), ['expected-time']).replayed
  expect(one?.loads).toBe(1)
  expect(one?.failed).toBe(0)
})

test('an answer that comes whole has its first byte at its end', () => {
  const asked = [recordedRequest(0, {}, {streams: false})]
  const [one] = replay(recording([recordedNode('n1')], asked), ['expected-time']).replayed
  expect(one?.first).toEqual(one?.total)
})

test('nothing to replay is no failure, and an unknown policy is one', () => {
  const {requests, replayed, measured} = replay(recording([recordedNode('n1')], []), ['latency'])
  expect([requests, replayed, measured.total.p95]).toEqual([0, [], null])
  expect(() => replay(recording([], []), ['latencyy'])).toThrow('latencyy')
})
