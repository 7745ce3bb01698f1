import {expect, test} from 'vitest'
import {EventRing, type NodeFacts, nodeEvents} from '../../../src/lib/cluster/fleet-changes.ts'

const loaded = (...names: readonly string[]) =>
  names.map((name) => ({name, digest: name, sizeBytes: 1, vramBytes: 0, expiresAt: ''}))
const facts = (more: Partial<NodeFacts> = {}): NodeFacts => ({
  ...{name: 'n1', drained: false, state: 'up', breaker: 'closed', loaded: []},
  ...more,
})
const told = (before: NodeFacts | undefined, after: NodeFacts | undefined) =>
  nodeEvents(before, after, 0).map(({event}) => event)

test.each<[string, Partial<NodeFacts>, Partial<NodeFacts>, readonly string[]]>([
  ['nothing', {}, {}, []],
  ['its end', {}, {state: 'down', reason: 'refused'}, ['down']],
  ['its return', {state: 'down'}, {}, ['up']],
  ['a first look at one that is well', {state: 'unread'}, {}, []],
  ['a first look at one that is not', {state: 'unread'}, {state: 'down'}, ['down']],
  ['a mark', {}, {drained: true}, ['drained']],
  ['a mark taken away', {drained: true}, {}, ['undrained']],
  ['a failure', {}, {breaker: 'open'}, ['opened']],
  ['a try', {breaker: 'open'}, {breaker: 'half-open'}, []],
  ['a good try', {breaker: 'half-open'}, {}, ['closed']],
  ['a model', {}, {loaded: loaded('a', 'b')}, ['loaded', 'loaded']],
  ['another model', {loaded: loaded('a')}, {loaded: loaded('b')}, ['loaded', 'unloaded']],
  ['its end with models', {loaded: loaded('a')}, {state: 'down'}, ['down']],
  ['its return with models', {state: 'down'}, {loaded: loaded('a')}, ['up']],
  [
    'all at once',
    {},
    {drained: true, state: 'down', breaker: 'open'},
    ['drained', 'down', 'opened'],
  ],
])('of %s a node makes the events that there are', (_, before, after, events) => {
  expect(told(facts(before), facts(after))).toEqual(events)
})

test('a node that comes or goes is an event', () => {
  expect(told(undefined, facts())).toEqual(['added'])
  expect(told(facts(), undefined)).toEqual(['removed'])
  const [down] = nodeEvents(facts(), facts({state: 'down', reason: 'connection refused'}), 1000)
  expect(down).toEqual({
    ...{at: '1970-01-01T00:00:01.000Z', event: 'down', node: 'n1'},
    text: 'n1 does not answer: connection refused',
  })
})

test('a ring of events tells what came since, as far as it is kept', () => {
  const ring = new EventRing(3)
  const event = (text: string) => ({at: '', event: 'up', text}) as const
  expect(ring.since(0)).toEqual([])
  ring.add(event('a'), event('b'))
  expect(ring.since(1).map(({text}) => text)).toEqual(['b'])
  ring.add(event('c'), event('d'), event('e'))
  expect(ring.count).toBe(5)
  expect(ring.since(0).map(({text}) => text)).toEqual(['c', 'd', 'e'])
  expect(ring.since(4).map(({text}) => text)).toEqual(['e'])
  expect(ring.since(5)).toEqual([])
})
