import fc from 'fast-check'
import {expect, test} from 'vitest'
import {applyFrame, KEPT, NO_FLEET, nodesOf} from '../../../../src/lib/tui/top/fleet.ts'
import {sparkline} from '../../../../src/lib/tui/top/spark.ts'
import {liveNode, liveRequest, T0, totalsAt, wholeFrame} from '../../../support/fake-fleet.ts'

const news = (atMs: number) =>
  ({atMs, whole: false, nodes: [], requests: [], events: [], totals: totalsAt(atMs)}) as const
const two = applyFrame(NO_FLEET, wholeFrame([liveNode('a'), liveNode('b')]))

test('a frame changes what it tells of and leaves the rest', () => {
  const after = applyFrame(two, {...news(T0 + 500), nodes: [liveNode('b', {inFlight: 9})]})
  expect(nodesOf(after).map(({name, inFlight}) => [name, inFlight])).toEqual([
    ['a', 2],
    ['b', 9],
  ])
  expect(after.nodes.get('a')).toBe(two.nodes.get('a'))
})

test('a node that the order no longer names is gone, a new one has its place', () => {
  const after = applyFrame(two, {...news(T0), order: ['c', 'a'], nodes: [liveNode('c')]})
  expect(nodesOf(after).map(({name}) => name)).toEqual(['c', 'a'])
  expect(after.nodes.has('b')).toBe(false)
})

test('a whole frame begins anew, with the history that it brings', () => {
  const history = [totalsAt(T0 - 2000), totalsAt(T0 - 1000)]
  const busy = applyFrame(two, {...news(T0), requests: [liveRequest('r')]})
  const after = applyFrame(busy, wholeFrame([liveNode('z')], {history}))
  expect([...after.nodes.keys()]).toEqual(['z'])
  expect(after.requests.size).toBe(0)
  expect(after.history.map(({atMs}) => atMs)).toEqual([T0 - 2000, T0 - 1000, T0])
})

test('the history has an entry a second, however many frames come', () => {
  let fleet = two
  for (let at = 0; at <= 3000; at += 100) fleet = applyFrame(fleet, news(T0 + at))
  expect(fleet.history.map(({atMs}) => atMs - T0)).toEqual([0, 1000, 2000, 3000])
})

test('however long it runs, what is kept stays within its bounds, and what still runs is kept', () => {
  let fleet = applyFrame(two, {...news(T0), requests: [liveRequest('runs')]})
  for (let at = 1; at <= 2000; at++)
    fleet = applyFrame(fleet, {
      ...news(T0 + at * 1000),
      requests: [liveRequest(`r${at}`, {state: 'ended', outcome: 'ok'})],
      events: [{at: '', event: 'done', text: `${at}`}],
    })
  expect(fleet.requests.size).toBe(KEPT.endedRequests + 1)
  expect(fleet.requests.has('runs')).toBe(true)
  expect(fleet.requests.has('r2000')).toBe(true)
  expect(fleet.events).toHaveLength(KEPT.events)
  expect(fleet.events.at(-1)?.text).toBe('2000')
  expect(fleet.history).toHaveLength(KEPT.history)
})

test('bars are exactly as wide as asked, the highest value has the fullest one, nothing has none', () => {
  const bars = [' ', '1', '2', '3', '4']
  expect(sparkline([0, 1, 2, 4, undefined], {width: 7, bars})).toBe('   124 ')
  expect(sparkline([4, 0, 1, 2, 0, 1], {width: 3, bars})).toBe('421')
  expect(sparkline([], {width: 2, bars})).toBe('  ')
  fc.assert(
    fc.property(
      fc.array(fc.option(fc.double(), {nil: undefined}), {maxLength: 400}),
      fc.integer({min: 0, max: 200}),
      (values, width) => {
        expect(sparkline(values, {width, bars})).toHaveLength(width)
      },
    ),
  )
})
