import fc from 'fast-check'
import {expect, onTestFinished, test} from 'vitest'
import type {DispatchRequest, SendOrder} from '../../../../src/lib/balancer/dispatch-request.ts'
import {Dispatcher} from '../../../../src/lib/balancer/dispatcher.ts'
import {IdTable} from '../../../../src/lib/cluster/id-table.ts'
import {steadyMs} from '../../../../src/lib/gateway/clock.ts'
import {type Line, Switchboard} from '../../../../src/lib/server/workers/switchboard.ts'
import {ask, chance, node, reply, stats, up} from '../../balancer/door.ts'

/** A worker's line that keeps what is said to it, as `send 3`. */
class Heard implements Line {
  readonly ids = new IdTable<number>()
  readonly asked = new IdTable<DispatchRequest>()
  readonly words: string[] = []
  readonly link: Line['link'] = {
    tell: (name, ...words) => void this.words.push(`${name} ${(words as readonly unknown[])[0]}`),
  }
}

/** One node with so many slots, and a switchboard before it. */
function board(slots: number) {
  const used: string[] = []
  const sink = new Switchboard((node) => used.push(node))
  onTestFinished(() => sink.close())
  const dispatcher = new Dispatcher({sink, random: chance()})
  sink.use(dispatcher)
  const nowMs = steadyMs()
  dispatcher.setNodes([node('a', {slots})], nowMs)
  dispatcher.observe(up('a', {atMs: nowMs}), nowMs)
  const inFlight = () => dispatcher.view(steadyMs()).nodes[0]?.inFlight
  return {sink, inFlight, used}
}

test('two workers that give their requests the same numbers are told of their own ones only', () => {
  const {sink} = board(1)
  const [one, other] = [new Heard(), new Heard()]
  sink.submit(one, ask(7))
  sink.submit(other, ask(7))
  expect([one.words, other.words]).toEqual([['send 7'], ['queued 7']])
  sink.began(one, 7)
  sink.settle(one, 7, {kind: 'ok', stats: stats()})
  expect([one.words, other.words]).toEqual([['send 7'], ['queued 7', 'send 7']])
  sink.settle(other, 7, {kind: 'failed', failure: reply(400), begun: false})
  expect(other.words).toEqual(['queued 7', 'send 7', 'refuse 7'])
  expect(sink.size).toBe(0)
})

test('a worker that ends frees its slots for the others, not for its own requests that wait', () => {
  const {sink, inFlight} = board(2)
  const [dead, living] = [new Heard(), new Heard()]
  for (const id of [1, 2, 3]) sink.submit(dead, ask(id))
  for (const id of [1, 2]) sink.submit(living, ask(id))
  dead.words.length = 0
  expect(sink.drop(dead)).toBe(3)
  expect(living.words.filter((word) => word.startsWith('send'))).toEqual(['send 1', 'send 2'])
  expect(dead.words).toEqual([])
  expect([sink.size, inFlight()]).toEqual([2, 2])
})

test('what a request asked for is known until it has ended, also when its answer was taken up', () => {
  const {sink} = board(1)
  const one = new Heard()
  sink.submit(one, ask(7, {promptTokens: 70}))
  sink.settle(one, 7, {kind: 'failed', failure: reply(500), begun: true})
  sink.submit(one, ask(-1, {promptTokens: 90}))
  sink.settle(one, -1, {kind: 'ok', stats: stats()})
  expect(sink.ended(one, 7)).toMatchObject({id: 7, promptTokens: 70})
  expect([sink.ended(one, 7), one.asked.size]).toEqual([undefined, 0])
})

test('a node that is sent something is known to be used', () => {
  const {sink, used} = board(1)
  const one = new Heard()
  sink.submit(one, ask(1))
  sink.submit(one, ask(2))
  expect(used).toEqual(['a'])
  sink.cancel(one, 1)
  expect(used).toEqual(['a', 'a'])
})

/** A dispatcher that always finds somebody, and keeps what it is told. */
function willing() {
  const told: string[] = []
  const note =
    (name: string) =>
    (id: number, ...more: readonly unknown[]) =>
      void told.push(`${name} ${id} ${(more[0] as {kind?: string}).kind ?? ''}`.trim())
  const used: string[] = []
  const sink = new Switchboard((node) => used.push(node))
  onTestFinished(() => sink.close())
  const decision = {...{policy: 'expected-time', reason: 'warm'}, ranked: [], excluded: []} as const
  const patience = {connectMs: 1, headersMs: 1, idleMs: 1}
  sink.use({
    ...{submit() {}, tick() {}},
    ...{began: note('began'), settle: note('settle'), cancel: note('cancel')},
    hedge: () => ({...{node: 'b', attempt: 2, decision, patience}}) as unknown as SendOrder,
  })
  return {sink, told, used}
}

test('a second attempt has a number of its own, until it ends', () => {
  const {sink, told, used} = willing()
  const [one, other] = [new Heard(), new Heard()]
  for (const line of [one, other]) sink.submit(line, ask(7))
  expect(sink.hedge(one, 7, -1)).toMatchObject({node: 'b'})
  expect(sink.hedge(other, 7, -1)).toMatchObject({node: 'b'})
  expect(used).toEqual(['b', 'b'])
  sink.settle(one, -1, {kind: 'cancelled'})
  sink.began(other, -1)
  sink.settle(other, 7, {kind: 'cancelled'})
  sink.settle(other, -1, {kind: 'ok', stats: stats()})
  // Whoever is told of an end is also told that nobody waits any longer, which then is no news.
  const news = told.filter((it) => !it.startsWith('cancel '))
  expect(news).toEqual(['settle 3 cancelled', 'began 4', 'settle 2 cancelled', 'settle 4 ok'])
  expect([sink.size, one.ids.size, other.ids.size]).toEqual([1, 1, 0])
})

test('a worker that ends takes its second attempts with it; of what it no longer has nothing is asked', () => {
  const {sink, told} = willing()
  const one = new Heard()
  sink.submit(one, ask(7))
  sink.hedge(one, 7, -1)
  sink.drop(one)
  expect(told.toSorted()).toEqual(['cancel 1', 'cancel 2'])
  expect([sink.hedge(one, 7, -2), sink.size]).toEqual([undefined, 0])
})

test('what is said to have ended before it was sent to anybody waits no longer', () => {
  const {sink, inFlight} = board(2)
  const [one, other] = [new Heard(), new Heard()]
  sink.submit(one, ask(0))
  sink.submit(one, ask(1))
  sink.submit(other, ask(4))
  sink.settle(other, 4, {kind: 'ok', stats: stats()})
  sink.drop(one)
  expect([sink.size, inFlight()]).toEqual([0, 0])
})

test('whatever workers do and whenever they end, no slot and no request is left over', () => {
  const step = fc.record({
    worker: fc.nat(2),
    what: fc.constantFrom('submit', 'ok', 'fail', 'cancel', 'drop'),
    id: fc.nat(5),
  })
  fc.assert(
    fc.property(fc.array(step, {maxLength: 60}), (steps) => {
      const {sink, inFlight} = board(2)
      const workers = [new Heard(), new Heard(), new Heard()]
      for (const {worker, what, id} of steps) {
        const line = workers[worker] ?? new Heard()
        if (what === 'submit' && !line.ids.has(id)) sink.submit(line, ask(id))
        else if (what === 'ok') sink.settle(line, id, {kind: 'ok', stats: stats()})
        else if (what === 'fail')
          sink.settle(line, id, {kind: 'failed', failure: reply(500), begun: false})
        else if (what === 'cancel') sink.cancel(line, id)
        else if (what === 'drop') sink.drop(line)
        expect(inFlight()).toBeLessThanOrEqual(2)
        expect(sink.size).toBe(workers.reduce((sum, one) => sum + one.ids.size, 0))
      }
      for (const one of workers) sink.drop(one)
      expect([sink.size, inFlight()]).toEqual([0, 0])
    }),
    {numRuns: 100},
  )
})
