import fc from 'fast-check'
import {describe, expect, test} from 'vitest'
import {
  type BalanceRequest,
  candidatesFor,
  type NodeView,
} from '../../../src/lib/balancer/candidates.ts'
import {POLICY_NAMES, policyNamed, rank} from '../../../src/lib/balancer/policies.ts'
import type {Rate, Rates} from '../../../src/lib/balancer/rates.ts'
import {expectedTime} from '../../../src/lib/balancer/score.ts'
import type {LoadedModel, ModelTag, Reading} from '../../../src/lib/cluster/reading.ts'

const NOW = 1_000_000
const MODEL = 'llama3.2:latest'
const ask: BalanceRequest = {model: 'llama3.2', promptTokens: 100}

const tag = (more: Partial<ModelTag> = {}): ModelTag => ({
  name: MODEL,
  digest: 'd1',
  sizeBytes: 2e9,
  modifiedAt: '',
  ...more,
})
const loaded = (more: Partial<LoadedModel> = {}): LoadedModel => ({
  name: MODEL,
  digest: 'd1',
  sizeBytes: 2e9,
  vramBytes: 2e9,
  contextLength: 4096,
  expiresAt: '',
  ...more,
})
const up = (node: string, more: Partial<Reading & {kind: 'up'}> = {}): Reading => ({
  kind: 'up',
  node,
  atMs: NOW,
  latencyMs: 1,
  models: [tag()],
  loaded: [],
  ...more,
})
const view = (name: string, more: Partial<NodeView> = {}): NodeView => ({
  name,
  drained: false,
  reading: up(name),
  inFlight: 0,
  lastUsedMs: 0,
  ...more,
})
/** A reproducible source of chance. */
const seeded = (seed: number) => () => {
  seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648
  return seed / 2_147_483_648
}
const order = (nodes: readonly NodeView[], rates: Rates = {}, request = ask, seed = 1) =>
  rank(request, candidatesFor(request, nodes, rates).candidates, 'expected-time', {
    nowMs: NOW,
    random: seeded(seed),
  }).map(({candidate}) => candidate.node)
const rates = (all: Record<string, Partial<Rate>>): Rates =>
  Object.fromEntries(
    Object.entries(all).map(([node, rate]) => [
      node,
      {'registry.ollama.ai/library/llama3.2:latest': {atMs: NOW, ...rate}},
    ]),
  )
const fast = {promptTps: 1000, answerTps: 100, answerTokens: 100, serviceMs: 1100}
const slow = {promptTps: 100, answerTps: 10, answerTokens: 100, serviceMs: 11_000}

describe('who can take a request', () => {
  const cases: ReadonlyArray<readonly [string, NodeView, string]> = [
    ['a drained node', view('n', {drained: true}), 'drained'],
    ['a node that has not answered', view('n', {reading: undefined}), 'silent'],
    [
      'a node that is down',
      view('n', {reading: {kind: 'down', node: 'n', atMs: 0, code: 'TIMEOUT', message: 'x'}}),
      'down',
    ],
    [
      'a node with another model of a similar name',
      view('n', {reading: up('n', {models: [tag({name: 'llama3.2:1b'}), tag({name: 'llama3'})]})}),
      'no-model',
    ],
  ]
  test.each(cases)('not %s', (_, node, reason) => {
    const {candidates, excluded} = candidatesFor(ask, [node], {})
    expect(candidates).toEqual([])
    expect(excluded).toMatchObject([{node: 'n', reason}])
  })

  test('a model that does not do what is asked is no candidate; one that does not tell is', () => {
    const request = {...ask, needs: 'embedding'}
    const chatOnly = view('a', {reading: up('a', {models: [tag({capabilities: ['completion']})]})})
    const {candidates, excluded} = candidatesFor(request, [chatOnly, view('b')], {})
    expect(candidates.map(({node}) => node)).toEqual(['b'])
    expect(excluded).toMatchObject([{node: 'a', reason: 'unable'}])
  })

  test('where no list says that it does it, the nodes themselves are asked: a list may be wrong', () => {
    const request = {...ask, needs: 'embedding'}
    const chatOnly = view('a', {reading: up('a', {models: [tag({capabilities: ['completion']})]})})
    const {candidates, excluded} = candidatesFor(request, [chatOnly], {})
    expect(candidates.map(({node}) => node)).toEqual(['a'])
    expect(excluded).toEqual([])
  })

  test('a loaded model is known by its digest when it was loaded under another name', () => {
    const reading = up('n', {loaded: [loaded({name: 'alias:latest'})]})
    const [candidate] = candidatesFor(ask, [view('n', {reading})], {}).candidates
    expect(candidate).toMatchObject({residency: 'loaded', gpu: true})
  })

  test('another context than the loaded one means a reload, an unknown one does not', () => {
    const residency = (contextLength?: number) => {
      const {contextLength: _, ...bare} = loaded()
      const one = contextLength === undefined ? bare : {...bare, contextLength}
      const node = view('n', {reading: up('n', {loaded: [one]})})
      return candidatesFor({...ask, numCtx: 8192}, [node], {}).candidates[0]?.residency
    }
    expect(residency(4096)).toBe('reload')
    expect(residency(8192)).toBe('loaded')
    expect(residency(undefined)).toBe('loaded')
  })
})

describe('expected time', () => {
  test('the faster node goes first, until it is busier than it is faster', () => {
    const known = rates({a: fast, b: slow})
    const hot = (name: string, inFlight = 0) =>
      view(name, {inFlight, reading: up(name, {loaded: [loaded()]})})
    expect(order([hot('b'), hot('a')], known)).toEqual(['a', 'b'])
    expect(order([hot('b'), hot('a', 5)], known)).toEqual(['a', 'b'])
    expect(order([hot('b'), hot('a', 20)], known)).toEqual(['b', 'a'])
  })

  test('a loaded model beats a cold one, but residency is not occupancy', () => {
    const hot = (inFlight: number) =>
      view('hot', {inFlight, reading: up('hot', {loaded: [loaded()]})})
    const known = rates({hot: {...fast, loadMs: 3000}, cold: {...fast, loadMs: 3000}})
    expect(order([view('cold'), hot(0)], known)[0]).toBe('hot')
    expect(order([view('cold'), hot(1)], known)[0]).toBe('hot')
    expect(order([view('cold'), hot(9)], known)[0]).toBe('cold')
  })

  test('nobody has measured anything: the terms say that they are guesses, and a GPU is preferred', () => {
    const gpu = view('gpu', {reading: up('gpu', {loaded: [loaded()]})})
    const cpu = view('cpu', {reading: up('cpu', {loaded: [loaded({vramBytes: 0})]})})
    const {candidates} = candidatesFor(ask, [cpu, gpu], {})
    const terms = candidates.map((candidate) => expectedTime(ask, candidate, NOW))
    expect(terms[0]?.guessed).toEqual(['prompt', 'answer'])
    expect(order([cpu, gpu])).toEqual(['gpu', 'cpu'])
  })

  test('what was measured of other nodes is the guess for a new one, so that equals stay equal', () => {
    const known = rates({a: fast})
    const {candidates} = candidatesFor(ask, [view('a'), view('b')], known)
    const [a, b] = candidates.map((candidate) => expectedTime(ask, candidate, NOW))
    expect(b?.answerMs).toBe(a?.answerMs)
    expect(a?.guessed).toEqual(['load'])
    expect(b?.guessed).toEqual(['load', 'prompt', 'answer'])
  })

  test('a node that failed a moment ago is avoided, and forgiven later', () => {
    const failed = (agoMs: number) => rates({a: {...fast, failedAtMs: NOW - agoMs}, b: fast})
    expect(order([view('a'), view('b')], failed(0))[0]).toBe('b')
    const [a] = candidatesFor(ask, [view('a')], failed(300_000)).candidates
    expect(a && expectedTime(ask, a, NOW).riskMs).toBe(0)
  })

  test('a failure that a clock has dated into the future is not held against a node for long', () => {
    const known = rates({a: {...fast, failedAtMs: NOW + 86_400_000}})
    const [a] = candidatesFor(ask, [view('a')], known).candidates
    expect(a && expectedTime(ask, a, NOW).riskMs).toBe(0)
  })

  test('a conversation stays where its beginning was evaluated, unless that node is busier', () => {
    const hot = (name: string, inFlight = 0) =>
      view(name, {inFlight, lastUsedMs: NOW, reading: up(name, {loaded: [loaded()]})})
    const known = rates({a: fast, b: fast})
    const request = {...ask, promptTokens: 3000, cached: {node: 'b', promptTokens: 2900}}
    expect(order([hot('a'), hot('b')], known, request)[0]).toBe('b')
    expect(order([hot('a'), hot('b', 9)], known, request)[0]).toBe('a')
    expect(
      order([{...hot('a'), lastUsedMs: 0}, hot('b')], known, {...ask, cached: request.cached})[0],
    ).toBe('b')
  })

  test('the total is the sum of its terms', () => {
    const [candidate] = candidatesFor(ask, [view('a', {inFlight: 3})], rates({a: fast})).candidates
    if (!candidate) throw new Error('none')
    const {totalMs, guessed: _, ...terms} = expectedTime(ask, candidate, NOW)
    expect(totalMs).toBeCloseTo(Object.values(terms).reduce((sum, ms) => sum + ms, 0))
  })
})

describe('policies', () => {
  const nodes = [
    view('a', {inFlight: 2, lastUsedMs: 10, reading: up('a', {latencyMs: 5})}),
    view('b', {inFlight: 1, lastUsedMs: 30, reading: up('b', {latencyMs: 1})}),
    view('c', {inFlight: 1, lastUsedMs: 20, reading: up('c', {latencyMs: 9})}),
  ]
  test.each([
    ['round-robin', ['a', 'c', 'b']],
    ['least-loaded', ['c', 'b', 'a']],
    ['latency', ['b', 'a', 'c']],
  ])('%s', (name, expected) => {
    const {candidates} = candidatesFor(ask, nodes, {})
    const ranked = rank(ask, candidates, policyNamed(name), {nowMs: NOW, random: seeded(7)})
    expect(ranked.map(({candidate}) => candidate.node)).toEqual(expected)
  })

  test('equal nodes come first equally often', () => {
    const random = seeded(42)
    const first: Record<string, number> = {}
    const equal = ['a', 'b', 'c', 'd'].map((name) => view(name))
    for (let round = 0; round < 4000; round++) {
      const {candidates} = candidatesFor(ask, equal, {})
      const name =
        rank(ask, candidates, 'expected-time', {nowMs: NOW, random})[0]?.candidate.node ?? ''
      first[name] = (first[name] ?? 0) + 1
    }
    for (const count of Object.values(first)) expect(Math.abs(count - 1000)).toBeLessThan(150)
  })

  test('an unknown name is refused with the nearest one', () => {
    expect(() => policyNamed('least-loded')).toThrowError(
      expect.objectContaining({code: 'BAD_INPUT', suggestions: ['--policy least-loaded']}),
    )
    expect(policyNamed(undefined)).toBe('expected-time')
  })
})

const aRate = fc.record({
  atMs: fc.constant(NOW),
  promptTps: fc.double({min: 1, max: 1e4, noNaN: true}),
  answerTps: fc.double({min: 0.1, max: 500, noNaN: true}),
  serviceMs: fc.double({min: 1, max: 1e5, noNaN: true}),
  answerTokens: fc.double({min: 1, max: 2000, noNaN: true}),
})
const aReading = fc.oneof(
  fc.record({
    models: fc.constantFrom([tag()], [tag({name: 'other:latest'})], []),
    hot: fc.boolean(),
  }),
  fc.constant('down' as const),
  fc.constant('silent' as const),
)
const aNode = fc.record({
  drained: fc.boolean(),
  reading: aReading,
  inFlight: fc.nat(50),
  lastUsedMs: fc.nat(1000),
  rate: fc.option(aRate, {nil: undefined}),
})
const aCluster = fc.array(aNode, {maxLength: 8}).map((nodes) => ({
  views: nodes.map(({drained, reading, inFlight, lastUsedMs}, at): NodeView => {
    const name = `n${at}`
    const read =
      reading === 'silent'
        ? undefined
        : reading === 'down'
          ? ({kind: 'down', node: name, atMs: 0, code: 'TIMEOUT', message: ''} as const)
          : up(name, {models: reading.models, loaded: reading.hot ? [loaded()] : []})
    return {name, drained, reading: read, inFlight, lastUsedMs}
  }),
  rates: rates(Object.fromEntries(nodes.map(({rate}, at) => [`n${at}`, rate ?? {}]))),
}))
const aPolicy = fc.constantFrom(...POLICY_NAMES)

describe('whatever the cluster looks like', () => {
  test('only nodes that are up, not drained and have the model are ranked, each of them once', () => {
    fc.assert(
      fc.property(aCluster, aPolicy, fc.nat(), ({views, rates: known}, policy, seed) => {
        const {candidates, excluded} = candidatesFor(ask, views, known)
        const ranked = rank(ask, candidates, policy, {nowMs: NOW, random: seeded(seed)})
        const fit = views.filter(
          ({drained, reading}) =>
            !drained && reading?.kind === 'up' && reading.models.some(({name}) => name === MODEL),
        )
        expect(ranked.map(({candidate}) => candidate.node).sort()).toEqual(
          fit.map(({name}) => name).sort(),
        )
        expect(ranked.length + excluded.length).toBe(views.length)
      }),
    )
  })

  test('the same chance gives the same order', () => {
    fc.assert(
      fc.property(aCluster, aPolicy, fc.nat(), ({views, rates: known}, policy, seed) => {
        const once = () => {
          const {candidates} = candidatesFor(ask, views, known)
          return rank(ask, candidates, policy, {nowMs: NOW, random: seeded(seed)})
        }
        expect(once()).toEqual(once())
      }),
    )
  })

  test('more in flight never makes a node come sooner, nor look sooner done', () => {
    const policies = fc.constantFrom('expected-time' as const, 'least-loaded' as const)
    const input = [aCluster, policies, fc.nat(), fc.nat(7), fc.integer({min: 1, max: 20})] as const
    fc.assert(
      fc.property(...input, ({views, rates: known}, policy, seed, which, more) => {
        const place = (extra: number) => {
          const now = views.map((one, at) =>
            at === which ? {...one, inFlight: one.inFlight + extra} : one,
          )
          const {candidates} = candidatesFor(ask, now, known)
          const ranked = rank(ask, candidates, policy, {nowMs: NOW, random: seeded(seed)})
          const at = ranked.findIndex(({candidate}) => candidate.node === `n${which}`)
          return {at, totalMs: ranked[at]?.terms.totalMs ?? 0}
        }
        const before = place(0)
        const after = place(more)
        expect(after.at).toBeGreaterThanOrEqual(before.at)
        expect(after.totalMs).toBeGreaterThanOrEqual(before.totalMs)
      }),
    )
  })

  test('every estimate is a finite, non-negative number', () => {
    fc.assert(
      fc.property(aCluster, ({views, rates: known}) => {
        for (const candidate of candidatesFor(ask, views, known).candidates) {
          const {guessed: _, ...terms} = expectedTime(ask, candidate, NOW)
          for (const ms of Object.values(terms)) {
            expect(Number.isFinite(ms)).toBe(true)
            expect(ms).toBeGreaterThanOrEqual(0)
          }
        }
      }),
    )
  })
})
