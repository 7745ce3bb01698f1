import fc from 'fast-check'
import {expect, test} from 'vitest'
import type {DispatchRequest} from '../../../src/lib/balancer/dispatch-request.ts'
import {Decisions} from '../../../src/lib/gateway/decisions.ts'
import {requestRecord} from '../../support/request-record.ts'

const everything = () => true
const ids = (decisions: Decisions, most = 1000, mayUse: (model: string) => boolean = everything) =>
  decisions.latest(most, mayUse).map(({id}) => Number(id))

test('however many come, the latest are kept, and told latest first', () => {
  fc.assert(
    fc.property(fc.nat(50), fc.integer({min: 1, max: 20}), fc.nat(30), (count, kept, most) => {
      const decisions = new Decisions(kept)
      for (let id = 0; id < count; id++) decisions.add(requestRecord({requestId: `${id}`}))
      const all = Array.from({length: count}, (_, at) => count - 1 - at)
      expect(ids(decisions, most)).toEqual(all.slice(0, Math.min(kept, most)))
    }),
  )
})

test('1,000 are kept', () => {
  const decisions = new Decisions()
  for (let id = 0; id < 2500; id++) decisions.add(requestRecord({requestId: `${id}`}))
  expect(ids(decisions, 10_000)).toHaveLength(1000)
  expect(ids(decisions, 10_000).at(-1)).toBe(1500)
})

test('who may not use a model hears nothing of its requests, and of others as many as were asked for', () => {
  const decisions = new Decisions()
  for (let id = 0; id < 6; id++)
    decisions.add(requestRecord({requestId: `${id}`, model: id % 2 ? 'a:latest' : 'b:latest'}))
  expect(ids(decisions, 2, (model) => model === 'a:latest')).toEqual([5, 3])
})

test('what is not known is null', () => {
  const decisions = new Decisions()
  const {node: _, reason: _r, firstByteMs: _f, answerTokens: _a, ...record} = requestRecord()
  decisions.add({...record, outcome: 'refused', queueMs: 1.23456})
  expect(decisions.latest(1, everything)[0]).toMatchObject({
    node: null,
    reason: null,
    firstByteMs: null,
    answerTokens: null,
    outcome: 'refused',
    queueMs: 1.23,
  })
})

const asked = (changes: Partial<DispatchRequest> = {}): DispatchRequest => ({
  ...{id: 1, model: 'llama3.2', promptTokens: 7, tenant: 'k1', priority: 'low'},
  ...{prefix: [], blockTokens: 128, canSetNumCtx: true},
  ...changes,
})

test('a recording has them in the order of their coming, and only what a replay can submit again', () => {
  const decisions = new Decisions(10)
  for (const [id, atMs] of [
    ['late', 3000],
    ['early', 1000],
    ['middle', 2000],
  ] as const)
    decisions.add(requestRecord({requestId: id, atMs}), asked())
  decisions.add(requestRecord({requestId: 'never submitted', atMs: 0}))
  const recorded = decisions.recorded(10, everything)
  expect(recorded.map(({id}) => id)).toEqual(['early', 'middle', 'late'])
  expect(recorded[0]?.asked).toMatchObject({key: 'k1', priority: 'low', weight: 1, numCtx: null})
})

test('it tells which sessions and beginnings are the same, and not what they are', () => {
  const decisions = new Decisions(10)
  const all: Array<Partial<DispatchRequest>> = [
    {session: 'alice@example.com', prefix: [-99, 1234567]},
    {session: 'bob', prefix: [-99, 7654321]},
    {session: 'alice@example.com', prefix: [-99, 1234567]},
  ]
  for (const [at, one] of all.entries()) decisions.add(requestRecord({atMs: at}), asked(one))
  const told = decisions.recorded(10, everything).map((one) => one.asked)
  expect(told[0]).toEqual(told[2])
  expect(told[0]?.session).not.toBe(told[1]?.session)
  expect(told[0]?.prefix[0]).toBe(told[1]?.prefix[0])
  expect(told[0]?.prefix[1]).not.toBe(told[1]?.prefix[1])
  expect(JSON.stringify(told)).not.toMatch(/alice|bob|99|1234567|7654321/)
})
