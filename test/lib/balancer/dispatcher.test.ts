import {describe, expect, test} from 'vitest'
import {ask, Door, down, node, stats, tag, up} from './door.ts'

/** Answers requests one after the other, each at its node's pace, and counts who got how many. */
function share(door: Door, requests: number, paceMs: Readonly<Record<string, number>>) {
  const counts: Record<string, number> = {}
  let nowMs = 0
  for (let id = 1; id <= requests; id++) {
    const name = door.submit(ask(id), nowMs)
    if (!name) throw new Error('not sent')
    counts[name] = (counts[name] ?? 0) + 1
    nowMs += paceMs[name] ?? 1000
    door.ok(id, nowMs, stats(paceMs[name]))
  }
  return counts
}

describe('where a request goes', () => {
  test('to the node that has shown to be faster', () => {
    const counts = share(new Door().with('slow', 'fast'), 100, {slow: 4000, fast: 1000})
    expect(counts.fast).toBeGreaterThan(90)
  })

  test('nowhere but to its node if it asks for one, even if that is drained', () => {
    const door = new Door().with('a', node('b', {drained: true}))
    expect(door.submit(ask(1), 0)).toBe('a')
    expect(door.submit(ask(2, {only: 'b'}), 0)).toBe('b')
    door.submit(ask(3, {only: 'c'}), 0)
    expect(door.refused.get(3)).toMatchObject({kind: 'no-node'})
  })

  test('own requests in flight count, whatever a reading says', () => {
    const door = new Door().with('a', 'b')
    expect(new Set([door.submit(ask(1), 0), door.submit(ask(2), 0)])).toEqual(new Set(['a', 'b']))
    door.dispatcher.observe(up('a', {atMs: 5}), 5)
    expect(door.submit(ask(3), 6)).toBeUndefined()
    expect(door.queued.get(3)).toBe(1)
  })

  test('a slow node that is free gets the request only if waiting for the fast one takes longer', () => {
    const door = new Door().with('fast', 'slow')
    for (let id = 1; id <= 20; id++) {
      const only = id % 2 ? 'fast' : 'slow'
      door.submit(ask(id, {only}), id * 10_000)
      door.ok(id, id * 10_000 + 9000, stats(only === 'fast' ? 500 : 8000))
    }
    expect(door.submit(ask(101), 300_000)).toBe('fast')
    door.submit(ask(102), 300_000)
    expect(door.queued.get(102)).toBe(1)
    const waiting = Array.from({length: 30}, (_, at) => 103 + at)
    for (const id of waiting) door.submit(ask(id), 300_000)
    expect([...door.running.values()].map((to) => to.node).sort()).toEqual(['fast', 'slow'])
    expect(door.nodeOf(102)).toBeUndefined()
    door.ok(101, 300_600)
    expect(door.nodeOf(102)).toBe('fast')
  })

  test('a conversation stays where its beginning was evaluated, but waits for no busy node because of it', () => {
    const door = new Door().with('a', 'b')
    const prefix = [1, 2, 3, 4]
    const first = door.submit(ask(1, {prefix, promptTokens: 300}), 0)
    door.ok(1, 1000)
    const longer = {prefix: [...prefix, 5], promptTokens: 400}
    expect(door.submit(ask(2, longer), 2000)).toBe(first)
    expect(door.running.get(2)?.decision.reason).toContain('prefix 256 tokens')
    expect(door.submit(ask(3, longer), 2000)).not.toBe(first)
  })

  test('what was evaluated is forgotten with the model', () => {
    const door = new Door().with('a')
    door.submit(ask(1, {prefix: [1, 2]}), 0)
    door.ok(1, 1000)
    door.dispatcher.observe(up('a', {atMs: 2000, hot: []}), 2000)
    expect(door.dispatcher.view(2000).nodes[0]?.replicas[0]).toMatchObject({
      residency: 'cold',
      prefixBlocks: 0,
    })
  })
})

describe('contexts and loads', () => {
  test('a request that asks for no larger context than the loaded one reloads nothing', () => {
    const door = new Door().with('a')
    const sent = (numCtx: number | undefined, canSetNumCtx = true) => {
      const id = door.sent.length + 1
      door.submit(ask(id, {...(numCtx === undefined ? {} : {numCtx}), canSetNumCtx}), id)
      const to = door.running.get(id)
      door.ok(id, id)
      return to?.numCtx
    }
    expect([sent(undefined), sent(2048), sent(4096)]).toEqual([4096, 4096, 4096])
    expect(sent(undefined, false)).toBeUndefined()
    expect(sent(8192)).toBe(8192)
    expect(sent(2048)).toBe(8192)
  })

  test('a model that loads is known to, though readings do not show it, and nobody triggers it twice', () => {
    const door = new Door()
    door.dispatcher.setNodes([node('a', {slots: 4})], 0)
    door.dispatcher.observe(up('a', {hot: []}), 0)
    expect(door.submit(ask(1), 0)).toBe('a')
    expect(door.running.get(1)?.patience.firstByteMs).toBeGreaterThanOrEqual(600_000)
    door.submit(ask(2), 10)
    expect(door.nodeOf(2)).toBeUndefined()
    door.dispatcher.observe(up('a', {atMs: 20, hot: []}), 20)
    expect(door.nodeOf(2)).toBeUndefined()
    door.dispatcher.began(1, 3000)
    expect(door.nodeOf(2)).toBe('a')
  })

  test('one node loads one model at a time, and another one is asked meanwhile', () => {
    const [big, small] = [tag('big', {sizeBytes: 20e9}), tag('small')]
    const door = new Door()
    door.dispatcher.setNodes([node('a'), node('b')], 0)
    for (const name of ['a', 'b'])
      door.dispatcher.observe(up(name, {has: [big, small], hot: []}), 0)
    const first = door.submit(ask(1, {model: 'big'}), 0)
    expect(door.submit(ask(2, {model: 'small'}), 1)).not.toBe(first)
  })

  test('what others use is not pushed out while a node with room is free', () => {
    const [x, y, z, extra] = ['x', 'y', 'z', 'extra'].map((name) => tag(name, {sizeBytes: 4e9}))
    if (!x || !y || !z || !extra) throw new Error()
    const door = new Door()
    door.dispatcher.setNodes([node('full'), node('roomy')], 0)
    door.dispatcher.observe(up('full', {has: [x, y, z, extra], hot: [x, y, z]}), 0)
    door.dispatcher.observe(up('roomy', {has: [extra], hot: []}), 0)
    for (let id = 1; id <= 9; id++) {
      door.submit(ask(id, {model: ['x', 'y', 'z'][id % 3] ?? 'x'}), id * 2000)
      door.ok(id, id * 2000 + 1000)
    }
    expect(door.submit(ask(100, {model: 'extra'}), 20_000)).toBe('roomy')
  })

  describe('a node that has come back with nothing in memory', () => {
    /** The model was asked for each so many ms until now, then one is running on `warm`, and one more comes. */
    const next = (everyMs: number, beside: readonly ReturnType<typeof tag>[] = []) => {
      const x = tag('x', {sizeBytes: 4e9})
      const door = new Door()
      door.dispatcher.setNodes([node('warm'), node('back', {memoryBytes: 5e9})], 0)
      door.dispatcher.observe(up('warm', {has: [x, ...beside], hot: [x]}), 0)
      door.dispatcher.observe(up('back', {has: [x, ...beside], hot: beside}), 0)
      let nowMs = 0
      for (let id = 1; id <= 20; id++) {
        const only = id % 2 ? 'warm' : undefined
        door.submit(ask(id, {model: 'x', ...(only ? {only} : {})}), nowMs)
        door.ok(id, nowMs + 2000, stats(2000))
        nowMs += everyMs
      }
      for (const [at, {name}] of beside.entries()) {
        door.submit(ask(50 + at, {model: name, only: 'back'}), nowMs)
        door.ok(50 + at, nowMs + 100)
      }
      door.submit(ask(100, {model: 'x'}), nowMs)
      door.submit(ask(101, {model: 'x'}), nowMs)
      return door.nodeOf(101)
    }

    test('loads what is asked for often, though the first one would be done as soon elsewhere', () => {
      expect(next(3000)).toBe('back')
    })

    test('loads nothing that is asked for seldom, or that pushes out what others use', () => {
      expect(next(1_000_000)).toBeUndefined()
      expect(next(3000, [tag('y', {sizeBytes: 4e9})])).toBeUndefined()
    })
  })

  test('a model that is larger than the node is not sent there', () => {
    const door = new Door()
    door.dispatcher.setNodes([node('a', {memoryBytes: 1e9})], 0)
    door.dispatcher.observe(up('a', {hot: []}), 0)
    door.submit(ask(1), 0)
    expect(door.refused.get(1)).toMatchObject({kind: 'no-node'})
  })
})

describe('who waits', () => {
  test('an overfull queue refuses at once, with the time after which to come again', () => {
    const door = new Door({limits: {queueLength: 2}}).with('a')
    for (let id = 1; id <= 4; id++) door.submit(ask(id), 0)
    expect([...door.queued.keys()]).toEqual([2, 3])
    expect(door.refused.get(4)).toMatchObject({kind: 'busy', retryAfterMs: expect.any(Number)})
  })

  test('a flood of one tenant takes neither the place nor the turn of another', () => {
    const door = new Door({limits: {queueLength: 10}}).with('a')
    for (let id = 1; id <= 30; id++) door.submit(ask(id, {tenant: 'flood'}), 0)
    door.submit(ask(100, {tenant: 'other'}), 1)
    expect(door.queued.get(100)).toBeLessThanOrEqual(2)
    expect(door.queued.size).toBe(10)
  })

  describe('shares between tenants hold', () => {
    /** Ends what runs, one after the other, and tells how many of each tenant were sent meanwhile. */
    const shares = (door: Door, tenants: ReadonlyMap<number, string>, count: number) => {
      const sent: Record<string, number> = {}
      const from = door.sent.length
      for (let nowMs = 1000; door.sent.length < from + count; nowMs += 1000)
        for (const id of [...door.running.keys()]) door.ok(id, nowMs)
      for (const [id] of door.sent.slice(from, from + count)) {
        const tenant = tenants.get(id) ?? ''
        sent[tenant] = (sent[tenant] ?? 0) + 1
      }
      return sent
    }

    test('from the first request on, also for those that came before anything was known of times', () => {
      const door = new Door().with('a')
      const tenants = new Map<number, string>()
      const submit = (id: number, tenant: string, weight: number) => {
        tenants.set(id, tenant)
        door.submit(ask(id, {tenant, weight}), 0)
      }
      for (let id = 1; id <= 50; id++) submit(id, 'early', 1)
      shares(door, tenants, 5)
      for (let id = 101; id <= 150; id++) submit(id, 'late', 3)
      const {early = 0, late = 0} = shares(door, tenants, 40)
      expect(late).toBeGreaterThanOrEqual(28)
      expect(early).toBeGreaterThanOrEqual(8)
    })

    test('by what is asked for, not by the number of requests', () => {
      const door = new Door().with('a')
      const tenants = new Map<number, string>()
      for (let id = 1; id <= 200; id++) {
        const tenant = id % 2 ? 'long' : 'short'
        tenants.set(id, tenant)
        // More than is usual is not expected only because it is allowed.
        const maxAnswerTokens = id % 2 ? 100 : 5
        door.submit(ask(id, {tenant, maxAnswerTokens, promptTokens: 100}), 0)
      }
      const {long = 0, short = 0} = shares(door, tenants, 88)
      expect(short / long).toBeGreaterThan(8)
      expect(short / long).toBeLessThan(13)
    })
  })

  test('it is refused when it has waited for as long as anybody may', () => {
    const door = new Door({limits: {queueMaxMs: 5000}}).with('a')
    door.submit(ask(1), 0)
    door.submit(ask(2), 0)
    expect(door.dispatcher.nextTickMs(0)).toBeGreaterThan(0)
    door.dispatcher.tick(5001)
    expect(door.refused.get(2)).toMatchObject({kind: 'busy'})
    expect(door.dispatcher.nextTickMs(5001)).toBeUndefined()
  })

  test('who cancels leaves no trace', () => {
    const door = new Door().with('a')
    for (let id = 1; id <= 3; id++) door.submit(ask(id), 0)
    door.dispatcher.cancel(2, 1)
    door.dispatcher.cancel(1, 1)
    expect(door.nodeOf(3)).toBe('a')
    expect(door.dispatcher.view(1).models[0]).toMatchObject({waiting: 0, running: 1})
  })

  test('a node that leaves the fleet finishes what it has and gets nothing more', () => {
    const door = new Door().with('a', 'b')
    const first = door.submit(ask(1), 0) ?? ''
    const other = first === 'a' ? 'b' : 'a'
    door.dispatcher.setNodes([node(other)], 1)
    expect(door.submit(ask(2), 1)).toBe(other)
    door.submit(ask(3), 1)
    door.ok(1, 2)
    expect(door.nodeOf(3)).toBeUndefined()
    door.dispatcher.observe(down(other, 3), 3)
    door.dispatcher.tick(100)
    expect(door.refused.get(3)).toMatchObject({kind: 'no-node'})
  })
})

describe('slots of a node that does not tell', () => {
  test('are learned when requests at once do not wait for each other there', () => {
    const {slots: _, ...bare} = node('a')
    const door = new Door().with(bare)
    let nowMs = 0
    for (let id = 1; id <= 40; id += 8) {
      for (let at = 0; at < 8; at++) door.submit(ask(id + at), nowMs)
      while (door.running.size > 0) {
        nowMs += 1000
        for (const one of [...door.running.keys()]) door.ok(one, nowMs, stats(900, {totalMs: 1001}))
      }
    }
    expect(door.dispatcher.view(nowMs).nodes[0]?.replicas[0]?.slots).toBeGreaterThanOrEqual(4)
  })

  test('stay at one when the second one waits', () => {
    const {slots: _, ...bare} = node('a')
    const door = new Door().with(bare)
    for (let id = 1; id <= 20; id++) {
      const nowMs = id * 10_000
      door.submit(ask(2 * id), nowMs)
      door.submit(ask(2 * id + 1), nowMs)
      door.ok(2 * id, nowMs + 1101, stats(1000))
      door.ok(2 * id + 1, nowMs + 2202, stats(1000, {totalMs: 2202}))
    }
    expect(door.dispatcher.view(300_000).nodes[0]?.replicas[0]?.slots).toBe(1)
  })
})

test('an unknown model is missing where nodes were read, and nobody is to be asked where none was', () => {
  const door = new Door().with('a')
  door.submit(ask(1, {model: 'nope'}), 0)
  expect(door.refused.get(1)).toEqual({kind: 'missing'})
  const blind = new Door()
  blind.dispatcher.setNodes([node('a')], 0)
  blind.submit(ask(1), 0)
  expect(blind.refused.get(1)).toMatchObject({kind: 'no-node'})
})

test('what was learned outlives the dispatcher, context by context', () => {
  const first = new Door().with('a', 'b')
  for (let id = 1; id <= 10; id++) {
    const only = id % 2 ? 'a' : 'b'
    first.submit(ask(id, {only}), id * 9000)
    first.ok(id, id * 9000 + 8000, stats(only === 'a' ? 8000 : 500))
  }
  const rates = first.dispatcher.rates()
  expect(Object.keys(rates.a ?? {})).toEqual([
    'registry.ollama.ai/library/m:latest',
    'registry.ollama.ai/library/m:latest@4096',
  ])
  expect(new Door({rates}).with('a', 'b').submit(ask(1), 0)).toBe('b')
})

test('what others have learned since is taken over by one that runs, what is older is not', () => {
  const door = new Door().with('a', 'b')
  for (let id = 1; id <= 10; id++) {
    const only = id % 2 ? 'a' : 'b'
    door.submit(ask(id, {only}), id * 9000)
    door.ok(id, id * 9000 + 8000, stats(only === 'a' ? 8000 : 500))
  }
  const key = 'registry.ollama.ai/library/m:latest'
  const slow = {answerTps: 1, promptTps: 1, serviceMs: 100_000, answerTokens: 100}
  door.dispatcher.adopt({b: {[key]: {...slow, atMs: 1}}})
  expect(door.dispatcher.rates().b?.[key]?.answerTps).toBeGreaterThan(100)
  door.dispatcher.adopt({b: {[key]: {...slow, atMs: 200_000}}, gone: {[key]: {atMs: 1}}})
  expect(door.dispatcher.rates().b?.[key]).toMatchObject({answerTps: 1, atMs: 200_000})
  expect(Object.keys(door.dispatcher.rates()).sort()).toEqual(['a', 'b'])
  expect(door.submit(ask(11), 200_000)).toBe('a')
})

test('how many a node answers at once is remembered, too, and never beyond the limit', () => {
  const key = 'registry.ollama.ai/library/m:latest'
  const slotsOf = (slots: number) => {
    const door = new Door({rates: {a: {[key]: {atMs: 0, slots}}}})
    door.dispatcher.setNodes([{name: 'a', drained: false, labels: {}}], 0)
    door.dispatcher.observe(up('a'), 0)
    let sent = 0
    for (let id = 1; id <= 200; id++) if (door.submit(ask(id), 1) === 'a') sent++
    return [sent, door.dispatcher.rates().a?.[key]?.slots]
  }
  expect(slotsOf(3)).toEqual([3, 3])
  expect(slotsOf(0)).toEqual([1, 1])
  const [most] = slotsOf(1e9)
  expect(most).toBeLessThan(200)
})
