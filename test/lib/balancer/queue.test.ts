import fc from 'fast-check'
import {expect, test} from 'vitest'
import {FairQueue} from '../../../src/lib/balancer/queue.ts'
import type {Priority} from '../../../src/lib/cluster/priority.ts'

interface Item {
  readonly id: number
  readonly tenant: string
  readonly priority: Priority
}
const ticket = ({tenant, priority}: Item, weight = 1) => ({tenant, priority, weight, cost: 10})
const item = (id: number, tenant = 't', priority: Priority = 'normal'): Item => ({
  id,
  tenant,
  priority,
})

test('in the order of coming where nothing else differs', () => {
  const queue = new FairQueue<Item>(10)
  for (const id of [1, 2, 3]) queue.push(item(id), ticket(item(id)), id)
  expect([queue.take(0), queue.take(0), queue.take(0)].map((one) => one?.id)).toEqual([1, 2, 3])
})

test('higher priority first, until the lower one has waited long enough', () => {
  const queue = new FairQueue<Item>(10)
  const push = (one: Item, nowMs: number) => queue.push(one, ticket(one), nowMs)
  push(item(1, 'a', 'low'), 0)
  push(item(2, 'b', 'high'), 1)
  expect(queue.waiting.map((one) => one.item.id)).toEqual([2, 1])
  queue.take(0)
  for (let nowMs = 10_000; nowMs <= 20_000; nowMs += 1000)
    queue.age(nowMs, 10_000, (one) => one.priority)
  push(item(3, 'b', 'high'), 20_000)
  expect(queue.waiting.map((one) => one.item.id)).toEqual([1, 3])
})

test('tenants go by turns, in proportion to their weights, however many each has waiting', () => {
  fc.assert(
    fc.property(fc.integer({min: 1, max: 5}), fc.integer({min: 1, max: 5}), (a, b) => {
      const queue = new FairQueue<Item>(1000)
      for (let id = 0; id < 200; id++) queue.push(item(id, 'a'), ticket(item(id, 'a'), a), 0)
      for (let id = 200; id < 400; id++) queue.push(item(id, 'b'), ticket(item(id, 'b'), b), 0)
      let got = 0
      const rounds = 20 * (a + b)
      for (let turn = 0; turn < Math.min(rounds, 180); turn++)
        if (queue.take(0)?.tenant === 'a') got++
      const expected = (Math.min(rounds, 180) * a) / (a + b)
      expect(Math.abs(got - expected)).toBeLessThanOrEqual(1 + a)
    }),
  )
})

test('never longer than it may be; who is too many is the last, never one who came with more right', () => {
  const one = fc.record({
    tenant: fc.constantFrom('a', 'b', 'c'),
    priority: fc.constantFrom('high', 'normal', 'low' as const),
  })
  fc.assert(
    fc.property(fc.array(one, {maxLength: 60}), fc.integer({min: 1, max: 8}), (all, most) => {
      const queue = new FairQueue<Item>(most)
      const inside = new Set<number>()
      all.forEach((who, id) => {
        const pushed = {...who, id} as Item
        inside.add(id)
        const dropped = queue.push(pushed, ticket(pushed), id)
        if (dropped) inside.delete(dropped.id)
        expect(queue.length).toBeLessThanOrEqual(most)
        expect(new Set(queue.waiting.map((waiting) => waiting.item.id))).toEqual(inside)
        if (dropped?.priority === 'high')
          expect(queue.waiting.every((waiting) => waiting.item.priority === 'high')).toBe(true)
      })
    }),
  )
})
