import {describe, expect, test} from 'vitest'
import type {Failure} from '../../../src/lib/balancer/verdict.ts'
import {ask, Door, down, node, reply, stats, tag, up} from './door.ts'

const LOAD_ERROR = reply(500, 'model requires more system memory (5 GiB) than is available')
const OPTION = reply(500, 'option "num_ctx" must be of type integer')

test('a node that answers 500 at once becomes less attractive, however fast and idle it is', () => {
  const door = new Door().with('good', 'bad')
  const counts: Record<string, number> = {good: 0, bad: 0}
  for (let id = 1; id <= 300; id++) {
    const nowMs = id * 150
    door.submit(ask(id), nowMs)
    while (door.nodeOf(id) === 'bad') {
      counts.bad = (counts.bad ?? 0) + 1
      door.fail(id, reply(500), nowMs + 1)
    }
    counts.good = (counts.good ?? 0) + 1
    door.ok(id, nowMs + 100, stats(50, {totalMs: 100}))
  }
  expect(door.refused.size).toBe(0)
  expect(counts.good).toBe(300)
  // Within 45 s it is found out, and then only tried whether it still does: not more often than each eight seconds.
  expect(counts.bad).toBeLessThanOrEqual(9)
})

describe('a failed attempt', () => {
  const failures: ReadonlyArray<readonly [string, Failure]> = [
    ['refused', {kind: 'unreachable'}],
    ['hung', {kind: 'timeout'}],
    ['500', reply(500)],
    ['cut', {kind: 'cut'}],
    ['busy', reply(503, 'server busy')],
    ['missing', reply(404, "model 'm' not found")],
    ['load error', LOAD_ERROR],
  ]
  test.each(failures)('(%s) goes to another node, and never to the same one', (_, failure) => {
    const door = new Door().with('a', 'b', 'c')
    const tried: string[] = []
    for (let name = door.submit(ask(1), 0); name; name = door.nodeOf(1)) {
      tried.push(name)
      door.fail(1, failure, tried.length)
    }
    expect(tried.toSorted()).toEqual(['a', 'b', 'c'])
    expect(door.refused.get(1)?.kind).toBe(failure === failures[5]?.[1] ? 'missing' : 'failed')
  })

  test('that is the caller’s own mistake is tried nowhere else and counts for nothing', () => {
    const door = new Door().with('a', 'b')
    for (let id = 1; id <= 20; id++) {
      door.submit(ask(id), id)
      door.fail(id, OPTION, id)
      expect(door.refused.get(id)).toMatchObject({kind: 'failed', verdict: 'caller'})
    }
    for (const {replicas, breaker} of door.dispatcher.view(30).nodes)
      expect([breaker, replicas[0]?.breaker, replicas[0]?.rate]).toEqual([
        'closed',
        'closed',
        undefined,
      ])
  })

  test('of which the client has seen something ends there', () => {
    const door = new Door().with('a', 'b')
    door.submit(ask(1), 0)
    door.dispatcher.began(1, 5)
    door.fail(1, {kind: 'cut'}, 9, true)
    expect(door.refused.get(1)).toMatchObject({kind: 'failed', failure: {kind: 'cut'}})
    expect(door.sent).toHaveLength(1)
  })
})

describe('what is remembered of it', () => {
  test('busy is not sick: a short pause, no breaker', () => {
    const door = new Door().with('a')
    door.submit(ask(1), 0)
    door.fail(1, reply(503, 'server busy'), 1)
    expect(door.dispatcher.view(2).nodes[0]?.replicas[0]?.breaker).toBe('closed')
    door.submit(ask(2), 2)
    expect(door.queued.has(2)).toBe(true)
    door.dispatcher.tick(400)
    expect(door.nodeOf(2)).toBe('a')
  })

  test('missing means a stale catalogue: forgotten until a later reading lists the model', () => {
    const door = new Door().with('a')
    door.submit(ask(1), 10)
    door.fail(1, reply(404, "model 'm' not found"), 11)
    door.dispatcher.observe(up('a', {atMs: 5}), 12)
    door.submit(ask(2), 13)
    expect(door.refused.get(2)).toEqual({kind: 'missing'})
    door.dispatcher.observe(up('a', {atMs: 20}), 21)
    expect(door.submit(ask(3), 22)).toBe('a')
  })

  test('a model that cannot be loaded is banned there, and only it', () => {
    const [m, other] = [tag(), tag('other')]
    const door = new Door()
    door.dispatcher.setNodes([node('a')], 0)
    door.dispatcher.observe(up('a', {has: [m, other], hot: []}), 0)
    door.submit(ask(1), 0)
    door.fail(1, LOAD_ERROR, 1)
    door.submit(ask(2), 1000)
    expect(door.refused.get(2)).toMatchObject({kind: 'no-node', retryAfterMs: 29_001})
    expect(door.submit(ask(3, {model: 'other'}), 1000)).toBe('a')
  })

  const bannedUntilMs = (door: Door, nowMs: number) =>
    door.dispatcher.view(nowMs).nodes[0]?.replicas[0]?.bannedUntilMs

  test('all that one load could not serve are one ban, and the next one is longer, up to five minutes', () => {
    const door = new Door().with(node('a', {slots: 100}))
    for (let id = 1; id <= 50; id++) door.submit(ask(id), 2)
    door.dispatcher.tick(2)
    const sent = [...door.running.keys()]
    expect(sent.length).toBeGreaterThan(1)
    for (const id of sent) door.fail(id, LOAD_ERROR, 100 + id)
    expect(bannedUntilMs(door, 200)).toBe(30_101)
    let nowMs = 40_000
    for (const seconds of [60, 120, 240, 300, 300]) {
      door.submit(ask(nowMs), nowMs)
      door.fail(nowMs, LOAD_ERROR, nowMs)
      expect(bannedUntilMs(door, nowMs)).toBe(nowMs + seconds * 1000)
      nowMs += seconds * 1000 + 1
    }
  })

  test('what somebody else has loaded meanwhile is banned no longer', () => {
    const door = new Door().with('a')
    door.submit(ask(1), 0)
    door.fail(1, LOAD_ERROR, 1)
    door.submit(ask(2), 31_000)
    door.fail(2, LOAD_ERROR, 31_001)
    // A runner that died stays in the list for a while.
    door.dispatcher.observe(up('a', {atMs: 32_000}), 32_000)
    expect(bannedUntilMs(door, 32_001)).toBe(91_001)
    door.dispatcher.observe(up('a', {atMs: 62_000}), 62_000)
    expect(door.submit(ask(3), 62_001)).toBe('a')
  })

  test('a runner that dies while it answers, or had the model in memory, is no load error', () => {
    const died = reply(500, 'llama runner process has terminated: exit status 2')
    const warm = new Door().with('a')
    warm.submit(ask(1), 0)
    warm.fail(1, died, 1)
    expect(bannedUntilMs(warm, 2)).toBeUndefined()
    const begun = new Door()
    begun.dispatcher.setNodes([node('a')], 0)
    begun.dispatcher.observe(up('a', {hot: []}), 0)
    begun.submit(ask(1), 0)
    begun.dispatcher.began(1, 5)
    begun.fail(1, {kind: 'line', words: 'CUDA error: out of memory'}, 9, true)
    expect(bannedUntilMs(begun, 10)).toBeUndefined()
    const cold = new Door()
    cold.dispatcher.setNodes([node('a')], 0)
    cold.dispatcher.observe(up('a', {hot: []}), 0)
    cold.submit(ask(1), 0)
    cold.fail(1, died, 1)
    expect(bannedUntilMs(cold, 2)).toBe(30_001)
  })

  test('a hang is not forgiven by a reading that answers, only by a request that does', () => {
    const door = new Door().with('a')
    door.submit(ask(1), 0)
    door.fail(1, {kind: 'timeout'}, 10)
    door.dispatcher.observe(up('a', {atMs: 20}), 20)
    const breaker = (nowMs: number) => door.dispatcher.view(nowMs).nodes[0]?.replicas[0]?.breaker
    expect(breaker(21)).toBe('open')
    expect(breaker(2000)).toBe('half-open')
    expect(door.submit(ask(2), 2000)).toBe('a')
    door.submit(ask(3), 2000)
    expect(door.nodeOf(3)).toBeUndefined()
    door.ok(2, 3000)
    expect(breaker(3000)).toBe('closed')
    expect(door.nodeOf(3)).toBe('a')
  })

  test('a node that refused connections is tried again as soon as a reading reaches it', () => {
    const door = new Door().with('a')
    door.submit(ask(1), 0)
    door.fail(1, {kind: 'unreachable'}, 1)
    door.dispatcher.observe(down('a', 2), 2)
    door.submit(ask(2), 3)
    expect(door.refused.get(2)).toMatchObject({kind: 'no-node'})
    door.dispatcher.observe(up('a', {atMs: 100}), 100)
    expect(door.submit(ask(3), 101)).toBe('a')
  })

  test('after a recovery it gets one request, then two, then four', () => {
    const door = new Door().with(node('a', {slots: 8}))
    door.submit(ask(1), 0)
    door.fail(1, {kind: 'timeout'}, 1)
    let id = 2
    for (; id < 40; id++) door.submit(ask(id), 2000)
    door.dispatcher.tick(2000)
    const sizes: number[] = []
    for (let nowMs = 3000; nowMs < 6000; nowMs += 1000) {
      sizes.push(door.running.size)
      for (const one of [...door.running.keys()]) door.ok(one, nowMs)
    }
    expect(sizes[0]).toBe(1)
    expect(sizes[1]).toBeLessThan(8)
    expect(sizes[1]).toBeGreaterThanOrEqual(1)
    expect(door.running.size).toBe(8)
  })
})

describe('a hang', () => {
  const short = (id: number, more = {}) => ask(id, {promptTokens: 4, ...more})
  const patienceOf = (door: Door, id: number) => door.running.get(id)?.patience.firstByteMs ?? 0

  test('is found soon, too, where all prompts are too short to tell a speed', () => {
    const door = new Door().with('a', 'b')
    for (let id = 1; id <= 10; id++) {
      door.submit(short(id), id * 1000)
      if (id === 1) expect(patienceOf(door, id)).toBeGreaterThanOrEqual(60_000)
      door.dispatcher.began(id, id * 1000 + 31)
      door.ok(id, id * 1000 + 230, stats(200, {totalMs: 231, promptTokens: 8, promptMs: 30}))
    }
    door.submit(short(11), 20_000)
    expect(patienceOf(door, 11)).toBeGreaterThan(8 * 30)
    expect(patienceOf(door, 11)).toBeLessThan(5000)
    // Of a long prompt that says nothing.
    door.ok(11, 20_100, stats(200, {promptTokens: 8, promptMs: 30}))
    door.submit(ask(12, {promptTokens: 4000}), 21_000)
    expect(patienceOf(door, 12)).toBeGreaterThanOrEqual(60_000)
  })

  test('is found soon where the node tells no durations and prompts are short', () => {
    const door = new Door().with('a', 'b')
    for (let id = 1; id <= 10; id++) {
      door.submit(short(id), id * 1000)
      door.dispatcher.began(id, id * 1000 + 31)
      door.ok(id, id * 1000 + 230, {promptTokens: 8, answerTokens: 20})
    }
    door.submit(short(11), 20_000)
    expect(patienceOf(door, 11)).toBeLessThan(5000)
  })

  test('is found soon where answers come whole and no durations are told', () => {
    const door = new Door().with('a', 'b')
    for (let id = 1; id <= 10; id++) {
      door.submit(ask(id, {streams: false}), id * 1000)
      door.ok(id, id * 1000 + 230, {promptTokens: 100, answerTokens: 20})
    }
    door.submit(ask(11, {streams: false}), 20_000)
    expect(patienceOf(door, 11)).toBeGreaterThan(8 * 230)
    expect(patienceOf(door, 11)).toBeLessThan(10_000)
  })
})

describe('a whole answer that is much longer than most', () => {
  const whole = (id: number, more = {}) => ask(id, {streams: false, ...more})
  const patienceOf = (door: Door, id: number) => door.running.get(id)?.patience.firstByteMs ?? 0
  /** Fifty tokens a second. */
  const said = (tokens: number) => stats(tokens * 20, {answerTokens: tokens})
  const learned = () => {
    const door = new Door().with('a', 'b')
    for (let id = 1; id <= 30; id++) {
      door.submit(whole(id), id * 1000)
      door.ok(id, id * 1000 + 500, said(20))
    }
    return door
  }

  test('is not taken for a hang where one as long has been seen', () => {
    const door = learned()
    door.submit(whole(40), 40_000)
    door.ok(40, 60_000, said(1000))
    door.submit(whole(41), 61_000)
    expect(patienceOf(door, 41)).toBeGreaterThan(2 * 20_000)
  })

  test('and was taken for one has all the time that it may need at the next node', () => {
    const door = learned()
    const first = door.submit(whole(40), 40_000)
    expect(patienceOf(door, 40)).toBeLessThan(15_000)
    door.fail(40, {kind: 'timeout'}, 55_000)
    expect(door.nodeOf(40)).not.toBe(first)
    // A context of 4,096 tokens.
    expect(patienceOf(door, 40)).toBeGreaterThan(4096 * 20)
    door.submit(whole(41, {maxAnswerTokens: 30}), 61_000)
    expect(patienceOf(door, 41)).toBeLessThan(15_000)
  })

  test('vectors have no length', () => {
    const door = learned()
    door.submit(whole(40), 40_000)
    door.ok(40, 60_000, said(1000))
    door.submit(whole(41, {needs: 'embedding'}), 61_000)
    expect(patienceOf(door, 41)).toBeLessThan(70_000)
  })
})

describe('the retry budget', () => {
  test('single requests may always be retried; when it is spent they wait for it and are not lost', () => {
    const limits = {retryFloor: 2, retryShare: 0.2, retryWindowMs: 10_000}
    const door = new Door({limits}).with(
      ...['a', 'b', 'c', 'd'].map((name) => node(name, {slots: 9})),
    )
    for (let id = 1; id <= 5; id++) door.submit(ask(id, {policy: 'round-robin'}), 0)
    for (let id = 1; id <= 5; id++) door.fail(id, {kind: 'cut'}, 1)
    expect(door.running.size).toBe(2)
    expect(door.refused.size).toBe(0)
    expect(door.dispatcher.view(1)).toMatchObject({requests: 5, retries: 2, delayed: 3})
    for (let nowMs = 100; nowMs < 25_000; nowMs += 100) door.dispatcher.tick(nowMs)
    expect(door.running.size + door.refused.size + door.queued.size).toBe(5)
    expect(door.refused.size).toBe(0)
  })
})
