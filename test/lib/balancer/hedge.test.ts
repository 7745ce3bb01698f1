import {expect, test} from 'vitest'
import type {DispatchRequest} from '../../../src/lib/balancer/dispatch-request.ts'
import {FirstBytes} from '../../../src/lib/balancer/first-bytes.ts'
import type {DispatchLimits} from '../../../src/lib/balancer/limits.ts'
import {ask, Door, down, node, stats, tag, up} from './door.ts'

const HEDGE = -1
const START_MS = 1_000_000
const asks = (id: number, more: Partial<DispatchRequest> = {}) => ask(id, {mayHedge: true, ...more})

/** Two nodes that have shown 30 first bytes each, after 100 to 129 ms where 100 are expected. */
function learned(limits: Partial<DispatchLimits> = {}, on = true) {
  const door = new Door({limits}).with('a', 'b')
  door.dispatcher.setHedging(on)
  let id = 1000
  for (let round = 0; round < 30; round++)
    for (const only of ['a', 'b']) {
      const atMs = round * 10_000
      door.submit(asks(++id, {only}), atMs)
      door.dispatcher.began(id, atMs + 100 + round)
      door.ok(id, atMs + 1100)
    }
  return door
}

/** A request that went to `a` at START_MS. */
function waiting(door: Door, more: Partial<DispatchRequest> = {}) {
  for (const name of ['a', 'b']) door.dispatcher.observe(up(name, {atMs: START_MS}), START_MS)
  door.submit(asks(1, more), START_MS)
  const first = door.nodeOf(1) ?? ''
  return {first, other: first === 'a' ? 'b' : 'a', afterMs: door.running.get(1)?.hedgeAfterMs}
}

/** A third node comes. */
function third(door: Door): void {
  door.dispatcher.setNodes(
    ['a', 'b', 'c'].map((name) => node(name)),
    START_MS + 3000,
  )
  door.dispatcher.observe(up('c', {atMs: START_MS + 3000}), START_MS + 3000)
}

test('what is usual of first bytes is known from twenty on, and one in twenty is later', () => {
  const bytes = new FirstBytes()
  for (let at = 1; at < 20; at++) bytes.add(at)
  expect(bytes.usual).toBeUndefined()
  bytes.add(20)
  expect(bytes.usual).toBe(19)
  for (let at = 0; at < 64; at++) bytes.add(7)
  expect(bytes.usual).toBe(7)
})

test('a first byte later than nineteen of twenty is worth a second attempt, on the other node', () => {
  const door = learned()
  const {other, afterMs = 0} = waiting(door)
  expect(afterMs).toBeGreaterThan(120)
  expect(afterMs).toBeLessThan(140)
  expect(door.dispatcher.hedge(1, HEDGE, START_MS + afterMs - 20)).toBeUndefined()
  const order = door.dispatcher.hedge(1, HEDGE, START_MS + afterMs)
  expect(order).toMatchObject({node: other, attempt: 2})
  expect(order?.hedgeAfterMs).toBeUndefined()
  expect(door.dispatcher.hedge(1, -2, START_MS + 5000)).toBeUndefined()
  expect(door.dispatcher.view(START_MS + afterMs).nodes.map(({inFlight}) => inFlight)).toEqual([
    1, 1,
  ])
})

test('it is off unless somebody wants it, and where too little is known', () => {
  const off = learned({}, false)
  expect(waiting(off).afterMs).toBeUndefined()
  expect(off.dispatcher.hedge(1, HEDGE, START_MS + 60_000)).toBeUndefined()
  const fresh = new Door().with('a', 'b')
  fresh.dispatcher.setHedging(true)
  expect(waiting(fresh).afterMs).toBeUndefined()
})

const NEVER: ReadonlyArray<
  readonly [
    what: string,
    happens: (door: Door, other: string) => void,
    more?: Partial<DispatchRequest>,
  ]
> = [
  [
    'on a node that would have to load it',
    (door, other) =>
      door.dispatcher.observe(up(other, {atMs: START_MS + 1, hot: []}), START_MS + 1),
  ],
  [
    'on a node that has another model of that name',
    (door, other) => {
      const has = [tag('m:latest', {digest: 'another'})]
      door.dispatcher.observe(up(other, {atMs: START_MS + 1, has}), START_MS + 1)
    },
  ],
  ['on a node that is busy', (door, other) => door.submit(asks(2, {only: other}), START_MS)],
  [
    'on a node that is busy with another model',
    (door, other) => {
      const has = [tag(), tag('n:latest')]
      door.dispatcher.observe(up(other, {atMs: START_MS + 1, has}), START_MS + 1)
      door.submit(asks(2, {model: 'n', only: other}), START_MS + 1)
    },
  ],
  [
    'on a node that is down',
    (door, other) => door.dispatcher.observe(down(other, START_MS + 1), START_MS + 1),
  ],
  [
    'on a drained node',
    (door, other) =>
      door.dispatcher.setNodes(
        ['a', 'b'].map((name) => node(name, {drained: name === other})),
        START_MS,
      ),
  ],
  [
    'on a node that failed of late',
    (door, other) => {
      door.submit(asks(2, {only: other}), START_MS)
      door.fail(2, {kind: 'timeout'}, START_MS + 1)
    },
  ],
  ['once the answer has begun', (door) => door.dispatcher.began(1, START_MS + 50)],
  ['for a request that may go nowhere else', () => {}, {only: 'a'}],
  ['where its door says so', () => {}, {mayHedge: false}],
]

test.each(NEVER.map(([what, ...rest]) => ({what, rest})))('never $what', ({rest}) => {
  const [happens, more] = rest
  const door = learned()
  const {first, other} = waiting(door, more)
  expect(first).not.toBe('')
  happens(door, other)
  expect(door.dispatcher.hedge(1, HEDGE, START_MS + 3000)).toBeUndefined()
})

test('never for a load, however long it takes', () => {
  const door = learned()
  for (const name of ['a', 'b'])
    door.dispatcher.observe(up(name, {atMs: START_MS - 1, hot: []}), START_MS - 1)
  door.submit(asks(1), START_MS)
  const other = door.nodeOf(1) === 'a' ? 'b' : 'a'
  door.dispatcher.observe(up(other, {atMs: START_MS + 1}), START_MS + 1)
  expect(door.running.get(1)?.hedgeAfterMs).toBeUndefined()
  expect(door.dispatcher.hedge(1, HEDGE, START_MS + 60_000)).toBeUndefined()
})

test('never while others wait for the model: a free slot is theirs', () => {
  const door = learned()
  waiting(door)
  door.submit(asks(2), START_MS)
  door.submit(asks(3), START_MS)
  expect(door.queued.has(3)).toBe(true)
  expect(door.dispatcher.hedge(1, HEDGE, START_MS + 3000)).toBeUndefined()
})

test('the one that is cancelled counts neither as failed nor as answered', () => {
  const door = learned()
  const {first, other} = waiting(door)
  const before = door.dispatcher.rates()[first]
  door.dispatcher.hedge(1, HEDGE, START_MS + 200)
  door.dispatcher.settle(1, {kind: 'cancelled'}, START_MS + 300)
  door.dispatcher.began(HEDGE, START_MS + 300)
  door.ok(HEDGE, START_MS + 1300, stats(1000))
  expect(door.dispatcher.rates()[first]).toEqual(before)
  const {nodes} = door.dispatcher.view(START_MS + 1300)
  expect(nodes.map(({inFlight, breaker}) => [inFlight, breaker])).toEqual([
    [0, 'closed'],
    [0, 'closed'],
  ])
  for (const {replicas} of nodes) expect(replicas[0]?.breaker).toBe('closed')
  expect(Object.values(door.dispatcher.rates()[other] ?? {})[0]?.atMs).toBe(START_MS + 1300)
  expect(door.refused.size).toBe(0)
})

test('what was late and cancelled is not forgotten: less and less would be called late', () => {
  const door = learned()
  const after: number[] = []
  for (let id = 1; id <= 5; id++) {
    const nowMs = START_MS + id * 20_000
    for (const name of ['a', 'b']) door.dispatcher.observe(up(name, {atMs: nowMs}), nowMs)
    // The other one is drained as long as this one is chosen.
    const nodes = (drained: boolean) => [node('a'), node('b', {drained})]
    door.dispatcher.setNodes(nodes(true), nowMs)
    door.submit(asks(id), nowMs)
    door.dispatcher.setNodes(nodes(false), nowMs)
    const afterMs = door.running.get(id)?.hedgeAfterMs ?? 0
    after.push(afterMs)
    expect(door.dispatcher.hedge(id, -id, nowMs + afterMs)?.node).toBe('b')
    door.dispatcher.settle(id, {kind: 'cancelled'}, nowMs + afterMs + 200)
    door.dispatcher.began(-id, nowMs + afterMs + 200)
    door.ok(-id, nowMs + afterMs + 1200)
  }
  expect(after.at(-1)).toBeGreaterThan((after[0] ?? 0) + 100)
})

test('a hedge that fails is held against its node and tried nowhere; the first attempt goes on', () => {
  const door = learned()
  const {first} = waiting(door)
  const order = door.dispatcher.hedge(1, HEDGE, START_MS + 3000)
  third(door)
  const sent = door.sent.length
  door.fail(HEDGE, {kind: 'timeout'}, START_MS + 3001, true)
  expect(door.sent).toHaveLength(sent)
  expect(door.nodeOf(1)).toBe(first)
  const broken = door.dispatcher
    .view(START_MS + 3001)
    .nodes.flatMap(({node: name, replicas}) => (replicas[0]?.breaker === 'closed' ? [] : [name]))
  expect(broken).toEqual([order?.node])
  door.fail(1, {kind: 'cut'}, START_MS + 3002)
  expect(door.nodeOf(1)).toBe('c')
})

test('when the first attempt fails the hedge stands in for it, and later failures go to nobody twice', () => {
  const door = learned()
  const {first} = waiting(door)
  const order = door.dispatcher.hedge(1, HEDGE, START_MS + 3000)
  third(door)
  door.fail(1, {kind: 'cut'}, START_MS + 3001, true)
  door.fail(HEDGE, {kind: 'cut'}, START_MS + 3002)
  expect([first, order?.node, door.nodeOf(HEDGE)].sort()).toEqual(['a', 'b', 'c'])
})

test.each([
  {what: 'one in twenty requests of ten seconds', limits: {}, requests: 100, hedges: 5},
  {what: 'one, where there are few', limits: {}, requests: 10, hedges: 1},
  {
    what: 'none where the retries are used up',
    limits: {retryFloor: 0, retryShare: 0},
    requests: 100,
    hedges: 0,
  },
])('the budget gives $what', ({limits, requests, hedges}) => {
  const door = learned(limits)
  const nowMs = START_MS + 9000
  door.dispatcher.setNodes(
    ['a', 'b'].map((name) => node(name, {slots: 200})),
    START_MS,
  )
  for (const name of ['a', 'b']) door.dispatcher.observe(up(name, {atMs: START_MS}), START_MS)
  for (let id = 1; id <= requests; id++) door.submit(asks(id), START_MS)
  expect(door.running.size).toBe(requests)
  let granted = 0
  for (let id = 1; id <= requests; id++) {
    if (!door.dispatcher.hedge(id, -id, nowMs)) continue
    granted++
    door.dispatcher.cancel(-id, nowMs)
  }
  expect(granted).toBe(hedges)
  expect(door.dispatcher.view(nowMs).hedges).toBe(hedges)
})
