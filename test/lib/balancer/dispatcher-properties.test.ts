import fc from 'fast-check'
import {expect, test} from 'vitest'
import type {BalancedNode} from '../../../src/lib/balancer/dispatch-request.ts'
import {POLICY_NAMES, type PolicyName} from '../../../src/lib/balancer/policies.ts'
import type {Failure} from '../../../src/lib/balancer/verdict.ts'
import {ask, chance, Door, down, node, reply, stats, tag, up} from './door.ts'

const NAMES = ['a', 'b', 'c', 'd']
const MODELS = ['m', 'x']
const QUEUE = 6
const FAILURES: readonly Failure[] = [
  {kind: 'unreachable'},
  {kind: 'timeout'},
  {kind: 'cut'},
  reply(500),
  reply(500, 'option "seed" must be of type integer'),
  reply(503, 'server busy'),
  reply(404, "model 'm' not found"),
  reply(501, 'no embeddings'),
  reply(500, 'unable to load model: blob'),
]

const what = fc.oneof(
  {weight: 8, arbitrary: fc.constant('submit' as const)},
  {weight: 6, arbitrary: fc.constant('ok' as const)},
  {weight: 4, arbitrary: fc.constant('fail' as const)},
  {weight: 2, arbitrary: fc.constant('begin' as const)},
  {weight: 2, arbitrary: fc.constant('cancel' as const)},
  {weight: 2, arbitrary: fc.constant('tick' as const)},
  {weight: 2, arbitrary: fc.constant('read' as const)},
  {weight: 1, arbitrary: fc.constant('down' as const)},
  {weight: 1, arbitrary: fc.constant('nodes' as const)},
  {weight: 1, arbitrary: fc.constant('policy' as const)},
)
const step = fc.record({what, which: fc.nat(1000), other: fc.nat(1000), passedMs: fc.nat(3000)})
const steps = fc.array(step, {maxLength: 120})
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

/** Plays the steps against a dispatcher, and holds every word of it against what it may know. */
class Play {
  nowMs = 0
  readonly door: Door
  readonly ended = new Map<number, string>()
  readonly log: string[] = []
  readonly #tried = new Map<number, Set<string>>()
  readonly #nodes = new Map<string, BalancedNode>()
  /** Models that the last reading listed; undefined: it was down. */
  readonly #has = new Map<string, ReadonlySet<string> | undefined>()
  /** Of those that left and came again nobody knows what they still do. */
  readonly #returned = new Set<string>()
  #next = 1

  constructor(seed: number, policy: PolicyName) {
    this.door = new Door({random: chance(seed), policy, limits: {queueLength: QUEUE}})
    const sent = this.door.sent
    // Looks at each sending at the moment when it happens.
    sent.push = (...all) => {
      for (const [id, name] of all) this.#mayBeSent(id, name)
      return Array.prototype.push.apply(sent, all)
    }
    const {refused} = this.door
    refused.set = (id, why) => {
      this.#end(id, `refused ${why.kind}`)
      return Map.prototype.set.call(refused, id, why)
    }
    this.#setNodes(NAMES.map((name, at) => node(name, {slots: 1 + (at % 2)})))
    for (const name of NAMES) this.#read(name, MODELS)
  }

  step({what: kind, which, other, passedMs}: Step): void {
    this.nowMs += passedMs
    const {door, nowMs} = this
    const running = [...door.running.keys()]
    const id = running[which % Math.max(1, running.length)]
    const name = NAMES[which % NAMES.length] ?? 'a'
    if (kind === 'submit') this.#submit(which, other)
    else if (kind === 'tick') door.dispatcher.tick(nowMs)
    else if (kind === 'read') this.#read(name, MODELS.slice(other % 3 === 0 ? 1 : 0))
    else if (kind === 'policy')
      door.dispatcher.setPolicy(POLICY_NAMES[which % POLICY_NAMES.length] ?? 'random')
    else if (kind === 'down') {
      this.#has.set(name, undefined)
      door.dispatcher.observe(down(name, nowMs), nowMs)
    } else if (kind === 'nodes')
      this.#setNodes(
        NAMES.filter((_, at) => (which >> at) & 1).map((one, at) =>
          node(one, {slots: 2, drained: ((other >> at) & 3) === 0}),
        ),
      )
    else if (kind === 'cancel') this.#cancel(which)
    else if (id === undefined) return
    else if (kind === 'begin') {
      this.#answered(id)
      door.dispatcher.began(id, nowMs)
    } else if (kind === 'ok') {
      this.#answered(id)
      this.#end(id, 'ok')
      door.ok(id, nowMs, stats(100 + other))
    } else door.fail(id, FAILURES[other % FAILURES.length] ?? reply(500), nowMs, other % 7 === 0)
    for (const {waiting} of door.dispatcher.view(nowMs).models)
      expect(waiting).toBeLessThanOrEqual(QUEUE)
  }

  /** Everything works again and all answers come: then nobody must be left. */
  finish(): void {
    this.#setNodes(NAMES.map((name) => node(name)))
    for (const name of NAMES) this.#read(name, MODELS)
    for (let round = 0; round < 400; round++) {
      this.nowMs += 1000
      for (const id of [...this.door.running.keys()]) {
        this.#answered(id)
        this.#end(id, 'ok')
        this.door.ok(id, this.nowMs)
      }
      if (round % 50 === 0) for (const name of NAMES) this.#read(name, MODELS)
      this.door.dispatcher.tick(this.nowMs)
    }
    expect(this.ended.size).toBe(this.#next - 1)
    expect(this.door.dispatcher.nextTickMs(this.nowMs)).toBeUndefined()
    for (const one of this.door.dispatcher.view(this.nowMs).models)
      expect(one).toMatchObject({waiting: 0, running: 0})
  }

  #submit(which: number, other: number): void {
    const id = this.#next++
    const model = MODELS[which % 2] ?? 'm'
    const request = ask(id, {
      ...{model, tenant: `t${other % 3}`, prefix: [which % 5, 10 + (which % 5)]},
      priority: (['high', 'normal', 'low'] as const)[other % 3] ?? 'normal',
      ...(which % 4 === 0 ? {session: `s${other % 4}`} : {}),
    })
    this.door.submit(request, this.nowMs)
    const states = [this.door.running, this.door.queued, this.ended].filter((one) => one.has(id))
    expect(states).toHaveLength(1)
  }

  #cancel(which: number): void {
    const id = 1 + (which % this.#next)
    if (id >= this.#next || this.ended.has(id)) return
    this.#end(id, 'cancelled')
    this.door.running.delete(id)
    this.door.queued.delete(id)
    this.door.dispatcher.cancel(id, this.nowMs)
  }

  #read(name: string, models: readonly string[]): void {
    if (!this.#nodes.has(name)) return
    this.#has.set(name, new Set(models))
    const has = models.map((model) => tag(model))
    this.door.dispatcher.observe(up(name, {atMs: this.nowMs, has}), this.nowMs)
  }

  #setNodes(nodes: readonly BalancedNode[]): void {
    const names = new Set(nodes.map(({name}) => name))
    for (const name of this.#nodes.keys()) {
      if (names.has(name)) continue
      this.#returned.add(name)
      this.#has.delete(name)
    }
    this.#nodes.clear()
    for (const one of nodes) this.#nodes.set(one.name, one)
    this.door.dispatcher.setNodes(nodes, this.nowMs)
  }

  /** An answer shows that the node lives, whatever its last reading said. */
  #answered(id: number): void {
    const name = this.door.nodeOf(id) ?? ''
    if (this.#has.has(name) && !this.#has.get(name)) this.#has.set(name, new Set(MODELS))
  }

  #mayBeSent(id: number, name: string): void {
    this.log.push(`${id} ${name}`)
    expect(this.ended.has(id)).toBe(false)
    expect(this.#nodes.get(name)?.drained).toBe(false)
    expect(this.#has.get(name)).toBeDefined()
    const tried = this.#tried.get(id) ?? new Set()
    this.#tried.set(id, tried)
    expect(tried.has(name)).toBe(false)
    tried.add(name)
    const there = [...this.door.running].filter(([one, to]) => to.node === name && one !== id)
    // Both models may be there with all their slots.
    if (!this.#returned.has(name))
      expect(there.length).toBeLessThan(MODELS.length * (this.#nodes.get(name)?.slots ?? 1) + 2)
  }

  #end(id: number, how: string): void {
    this.log.push(`${id} ${how}`)
    expect(this.ended.get(id)).toBeUndefined()
    this.ended.set(id, how)
  }
}

const policies = fc.constantFrom(...POLICY_NAMES)

test('every request ends exactly once, and none is sent where it must not go', () => {
  fc.assert(
    fc.property(steps, fc.nat(), policies, (all, seed, policy) => {
      const play = new Play(seed, policy)
      for (const one of all) play.step(one)
      play.finish()
    }),
    {numRuns: 300},
  )
})

test('the same chance and the same events give the same choices', () => {
  fc.assert(
    fc.property(steps, fc.nat(), policies, (all, seed, policy) => {
      const played = [new Play(seed, policy), new Play(seed, policy)]
      for (const play of played) for (const one of all) play.step(one)
      expect(played[0]?.log).toEqual(played[1]?.log)
    }),
    {numRuns: 50},
  )
})

test('whoever looks at the table behind each order changes nothing, and finds the node of the order in it', () => {
  fc.assert(
    fc.property(steps, fc.nat(), policies, (all, seed, chosen) => {
      const [seen, unseen] = [new Play(seed, chosen), new Play(seed, chosen)]
      const tables: (readonly [number, readonly string[]])[] = []
      seen.door.dispatcher.watch(({id}, {ranked}) =>
        tables.push([id, ranked.map(({candidate}) => candidate.node)]),
      )
      for (const play of [seen, unseen]) for (const one of all) play.step(one)
      expect(seen.log).toEqual(unseen.log)
      expect([...seen.door.sent]).toEqual([...unseen.door.sent])
      expect(tables.map(([id]) => id)).toEqual(seen.door.sent.map(([id]) => id))
      for (const [at, [, nodes]] of tables.entries())
        expect(nodes).toContain(seen.door.sent[at]?.[1])
    }),
    {numRuns: 100},
  )
})

test('work is never left waiting while a node that could do it as fast as any is free', () => {
  fc.assert(
    fc.property(
      fc.array(fc.boolean(), {maxLength: 80}),
      fc.integer({min: 1, max: 4}),
      (all, count) => {
        const door = new Door({limits: {queueLength: 100}}).with(...NAMES.slice(0, count))
        let nowMs = 0
        let id = 0
        for (const comes of all) {
          nowMs += 100
          const [first] = door.running.keys()
          if (comes) door.submit(ask(++id), nowMs)
          else if (first !== undefined) door.ok(first, nowMs)
          if (door.queued.size > 0) expect(door.running.size).toBe(count)
        }
      },
    ),
  )
})

test('exactly one request goes to a node that may be well again, until it has answered', () => {
  fc.assert(
    fc.property(fc.integer({min: 2, max: 20}), fc.nat(5), (count, more) => {
      const door = new Door().with(node('a', {slots: 20}), node('b', {slots: 20}))
      const first = door.submit(ask(1), 0) ?? ''
      door.fail(1, {kind: 'timeout'}, 1)
      door.dispatcher.cancel(1, 2)
      const other = first === 'a' ? 'b' : 'a'
      for (let id = 2; id < 2 + count; id++)
        door.submit(ask(id, {policy: 'round-robin'}), 5000 + id)
      const probes = door.sent.filter(([id, name]) => id > 1 && name === first)
      expect(probes.length).toBeLessThanOrEqual(1)
      const [probe] = probes
      if (probe) door.fail(probe[0], {kind: 'timeout'}, 6000)
      for (let id = 100; id < 100 + more; id++) expect(door.submit(ask(id), 6001)).not.toBe(first)
      expect(door.sent.some(([, name]) => name === other)).toBe(true)
    }),
  )
})
