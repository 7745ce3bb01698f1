import fc from 'fast-check'
import {expect, onTestFinished, test} from 'vitest'
import {Dispatcher} from '../../../../src/lib/balancer/dispatcher.ts'
import {IdTable} from '../../../../src/lib/cluster/id-table.ts'
import {steadyMs} from '../../../../src/lib/gateway/clock.ts'
import {type Line, Switchboard} from '../../../../src/lib/server/workers/switchboard.ts'
import {ask, chance, node, reply, stats, up} from '../../balancer/door.ts'

/** A worker's line that keeps what is said to it, as `send 3`. */
class Heard implements Line {
  readonly ids = new IdTable<number>()
  readonly words: string[] = []
  readonly link: Line['link'] = {
    tell: (name, ...words) => void this.words.push(`${name} ${(words as readonly unknown[])[0]}`),
  }
}

/** One node with so many slots, and a switchboard before it. */
function board(slots: number) {
  const sink = new Switchboard()
  onTestFinished(() => sink.close())
  const dispatcher = new Dispatcher({sink, random: chance()})
  sink.use(dispatcher)
  const nowMs = steadyMs()
  dispatcher.setNodes([node('a', {slots})], nowMs)
  dispatcher.observe(up('a', {atMs: nowMs}), nowMs)
  const inFlight = () => dispatcher.view(steadyMs()).nodes[0]?.inFlight
  return {sink, inFlight}
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
