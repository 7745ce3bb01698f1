import {expect, test} from 'vitest'
import {Turns} from '../../../src/lib/cluster/turns.ts'

test('no more are inside at once than may be, all get in, in their order', async () => {
  const turns = new Turns(2)
  const {signal} = new AbortController()
  let inside = 0
  let most = 0
  const order: number[] = []
  await Promise.all(
    Array.from({length: 20}, (_, at) =>
      turns
        .run(async () => {
          most = Math.max(most, ++inside)
          order.push(at)
          await new Promise(setImmediate)
          inside--
          if (at % 3 === 0) throw new Error('it failed')
        }, signal)
        .catch(() => {}),
    ),
  )
  expect(most).toBe(2)
  expect(order).toEqual(Array.from({length: 20}, (_, at) => at))
})

test('who gives up while waiting takes no place, and leaving twice makes room for one', async () => {
  const turns = new Turns(1)
  const {signal} = new AbortController()
  const leave = await turns.enter(signal)
  const stop = new AbortController()
  const waiting = turns.enter(stop.signal)
  stop.abort(new Error('enough'))
  await expect(waiting).rejects.toThrow('enough')
  await expect(turns.enter(stop.signal)).rejects.toThrow('enough')
  leave()
  leave()
  const second = await turns.enter(signal)
  let third = false
  const later = turns.enter(signal).then(() => {
    third = true
  })
  await new Promise(setImmediate)
  expect(third).toBe(false)
  second()
  await later
})
