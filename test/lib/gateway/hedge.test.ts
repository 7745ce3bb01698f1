import {expect, test} from 'vitest'
import type {Dispatcher} from '../../../src/lib/balancer/dispatcher.ts'
import type {DispatchLimits} from '../../../src/lib/balancer/limits.ts'
import type {DispatchDoor} from '../../../src/lib/gateway/hub.ts'
import type {FakeOptions, Fault} from '../../support/fake-ollama/options.ts'
import type {TestGateway, TestGatewayOptions} from '../../support/gateway.ts'
import {gatewayHarness} from '../../support/gateway-harness.ts'
import {ask, quantile, say} from '../../support/load.ts'
import {waitFor} from '../../support/wait-for.ts'

// Two nodes with one model; the first one asked says nothing for a while.

const open = gatewayHarness()
const FREELY: Partial<DispatchLimits> = {hedgeFloor: 1000, retryFloor: 1000}
const NODE: FakeOptions = {slots: 1, firstTokenDelayMs: 20, answerTokens: 4}
const content = 'why is the sky blue and the grass green '.repeat(4)
const chat = {model: 'tiny', messages: [{role: 'user', content}], max_tokens: 8}
const stream = {...chat, stream: true}
const silent: Fault = {kind: 'hang', on: 'inference', times: 1}
const late = (ms: number): Fault => ({kind: 'slow-headers', ms, times: 1})
const workOf = (gateway: TestGateway, at: number) =>
  (gateway.nodes[at]?.requests ?? []).filter(({method}) => method === 'POST')

const askOf = (gateway: TestGateway, node: string) =>
  ask(gateway.url, stream, {headers: {'x-ollamax-node': node}}).done

interface Start extends Pick<TestGatewayOptions, 'door'> {
  readonly hedge?: boolean
  readonly dispatch?: Partial<DispatchLimits>
  /** So many of the two nodes have the model in memory. */
  readonly warm?: number
  readonly node?: FakeOptions
}

/** Nodes that have shown how soon they begin, so that it is known what is late; n2 was used last. */
async function start({
  hedge = true,
  dispatch = FREELY,
  warm = 2,
  node = NODE,
  ...more
}: Start = {}) {
  const gateway = await open([node, node], {slots: 1, hedge, dispatch, ...more})
  const names = ['n1', 'n2'].slice(0, warm)
  for (let round = 0; round < 24; round++)
    await Promise.all(names.map((name) => askOf(gateway, name)))
  await askOf(gateway, names.at(-1) ?? '')
  return gateway
}

/** Goes to n1 first, because n2 was used last. */
const askFirst = (gateway: TestGateway, body: object = stream, path = '/api/chat') =>
  ask(gateway.url, body, {path, headers: {'x-ollamax-policy': 'round-robin'}})

test('a first token that is late is told by the other node, and the one that lost is let go at once', async () => {
  const gateway = await start()
  const [n1] = gateway.nodes
  const letGo: number[] = []
  for (let round = 0; round < 5; round++) {
    await n1?.set({fault: silent})
    const asked = askFirst(gateway)
    await asked.first
    const firstMs = performance.now()
    await waitFor(
      'n1 to see the connection close',
      () => workOf(gateway, 0).at(-1)?.outcome === 'cancelled',
      {everyMs: 1},
    )
    letGo.push(performance.now() - firstMs)
    const got = await asked.done
    expect(got).toMatchObject({ending: 'answered', status: 200})
    expect(got.headers).toMatchObject({
      'x-ollamax-node': 'n2',
      'x-ollamax-attempts': '2',
      'x-ollamax-reason': 'warm, hedge',
    })
    expect(got.text.match(/"done":true/g)).toHaveLength(1)
  }
  say('hedged', {rounds: 5, 'let go after ms, median': quantile(letGo, 0.5)})
  expect(quantile(letGo, 0.5)).toBeLessThan(100)
  const hedged = gateway.ended.filter((one) => one.hedge !== undefined)
  expect(hedged.slice(-5).map((one) => [one.hedge, one.outcome])).toEqual(
    Array.from({length: 5}, () => ['won', 'ok']),
  )
})

test('the loser counts neither as failed nor as answered: it is asked next as if nothing had been', async () => {
  const gateway = await start({dispatch: {hedgeShare: 0, hedgeFloor: 1}})
  await gateway.nodes[0]?.set({fault: silent})
  await askFirst(gateway).done
  expect(gateway.failures).toEqual([])
  const {nodes} = (await (await fetch(`${gateway.url}/ollamax/v1/fleet`)).json()) as {
    nodes: Array<{breaker: string; inFlight: number; replicas: Array<{breaker: string}>}>
  }
  for (const {breaker, inFlight, replicas} of nodes)
    expect([breaker, inFlight, replicas[0]?.breaker]).toEqual(['closed', 0, 'closed'])
  const next = await askFirst(gateway).done
  expect(next.headers).toMatchObject({'x-ollamax-node': 'n1', 'x-ollamax-attempts': '1'})
})

test('where the first one begins after all, it answers, and the other one is let go', async () => {
  const gateway = await start()
  await gateway.nodes[0]?.set({fault: late(500)})
  await gateway.nodes[1]?.set({fault: silent})
  const got = await askFirst(gateway).done
  expect(got).toMatchObject({ending: 'answered'})
  expect(got.headers).toMatchObject({
    'x-ollamax-node': 'n1',
    'x-ollamax-attempts': '2',
    'x-ollamax-reason': 'warm, hedged',
  })
  await waitFor('n2 to be let go', () => workOf(gateway, 1).at(-1)?.outcome === 'cancelled')
  expect(gateway.ended.at(-1)?.hedge).toBe('lost')
  expect(gateway.failures).toEqual([])
})

test('when the first one breaks while the other is at it, nobody else is asked', async () => {
  const gateway = await start()
  const [n1, n2] = gateway.nodes
  await n1?.set({fault: silent})
  await n2?.set({fault: late(600)})
  const before = workOf(gateway, 1).length
  const asked = askFirst(gateway)
  await waitFor('the hedge', () => workOf(gateway, 1).length > before)
  await n1?.set({fault: {kind: 'refuse'}})
  const got = await asked.done
  expect(got).toMatchObject({ending: 'answered'})
  expect(got.headers).toMatchObject({'x-ollamax-node': 'n2', 'x-ollamax-attempts': '2'})
  expect(gateway.failures).toHaveLength(1)
})

test('when the other one breaks, the first one goes on', async () => {
  const gateway = await start()
  await gateway.nodes[0]?.set({fault: late(600)})
  await gateway.nodes[1]?.set({fault: {kind: 'status', status: 500, on: 'inference', times: 1}})
  const got = await askFirst(gateway).done
  expect(got).toMatchObject({ending: 'answered'})
  expect(got.headers).toMatchObject({'x-ollamax-node': 'n1', 'x-ollamax-attempts': '2'})
  expect(gateway.failures).toEqual(['n2 reply'])
})

test('who leaves while both are at it frees both', async () => {
  const gateway = await start()
  for (const node of gateway.nodes) await node.set({fault: silent})
  const before = workOf(gateway, 1).length
  const asked = askFirst(gateway)
  await waitFor('the hedge', () => workOf(gateway, 1).length > before)
  asked.leave()
  await waitFor('both to be let go', () =>
    [0, 1].every((at) => workOf(gateway, at).at(-1)?.outcome === 'cancelled'),
  )
  await waitFor('the end', () => gateway.hub.size === 0)
  expect(gateway.ended.at(-1)?.outcome).toBe('cancelled')
})

test('of all requests only so many are hedged as the budget has', async () => {
  const gateway = await start({dispatch: {hedgeShare: 0, hedgeFloor: 1}})
  for (let round = 0; round < 4; round++) {
    await askOf(gateway, 'n2')
    await gateway.nodes[0]?.set({fault: late(500)})
    expect(await askFirst(gateway).done).toMatchObject({ending: 'answered'})
  }
  expect(gateway.ended.filter(({hedge}) => hedge !== undefined)).toHaveLength(1)
})

test('no node is made to load a model for it', async () => {
  const gateway = await start({warm: 1})
  await gateway.nodes[0]?.set({fault: late(600)})
  const got = await ask(gateway.url, stream).done
  expect(got.headers).toMatchObject({'x-ollamax-node': 'n1', 'x-ollamax-attempts': '1'})
  expect(workOf(gateway, 1)).toEqual([])
})

test('an answer that has begun is never hedged, however slow it is', async () => {
  const gateway = await start({node: {...NODE, firstTokenDelayMs: 150}})
  await gateway.nodes[0]?.set({firstTokenDelayMs: 0, decodeTokensPerS: 20, answerTokens: 16})
  const before = workOf(gateway, 1).length
  const got = await askFirst(gateway).done
  expect(got.totalMs).toBeGreaterThan(600)
  expect(got.headers).toMatchObject({'x-ollamax-node': 'n1', 'x-ollamax-attempts': '1'})
  expect(workOf(gateway, 1)).toHaveLength(before)
})

test.each([
  ['/v1/chat/completions', stream],
  ['/v1/completions', {model: 'tiny', prompt: content, stream: true}],
  ['/v1/messages', stream],
  ['/api/generate', {model: 'tiny', prompt: content}],
])('it is done in every dialect: %s', async (path, body) => {
  const gateway = await start()
  await gateway.nodes[0]?.set({fault: silent})
  const got = await askFirst(gateway, body, path).done
  expect(got).toMatchObject({ending: 'answered', status: 200})
  expect(got.headers).toMatchObject({'x-ollamax-node': 'n2', 'x-ollamax-attempts': '2'})
})

test.each([
  ['an answer that comes whole', '/api/chat', {...chat, stream: false}],
  ['a response that may be kept', '/v1/responses', {model: 'tiny', input: content, stream: true}],
])('never %s', async (_, path, body) => {
  const gateway = await start()
  await gateway.nodes[0]?.set({fault: late(600)})
  const got = await askFirst(gateway, body, path).done
  expect(got.headers).toMatchObject({'x-ollamax-node': 'n1', 'x-ollamax-attempts': '1'})
})

test('it is off unless the cluster file wants it', async () => {
  const gateway = await start({hedge: false})
  await gateway.nodes[0]?.set({fault: late(600)})
  const got = await askFirst(gateway).done
  expect(got.headers).toMatchObject({'x-ollamax-node': 'n1', 'x-ollamax-attempts': '1'})
})

/** A door that keeps what the dispatcher says of hedges back for so long as it is told to. */
function slowDoor() {
  const given: string[] = []
  let passed = Promise.resolve()
  const door = (dispatcher: Dispatcher): DispatchDoor => ({
    submit: (...words) => dispatcher.submit(...words),
    began: (...words) => dispatcher.began(...words),
    settle: (...words) => dispatcher.settle(...words),
    cancel: (...words) => dispatcher.cancel(...words),
    tick: (...words) => dispatcher.tick(...words),
    async hedge(...words) {
      const to = dispatcher.hedge(...words)
      if (to) given.push(to.node)
      await passed
      return to
    },
  })
  const hold = () => {
    const {promise, resolve} = Promise.withResolvers<void>()
    passed = promise
    return resolve
  }
  return {door, given, hold}
}

const inFlight = async ({url}: TestGateway) => {
  const page = await (await fetch(`${url}/ollamax/v1/fleet`)).json()
  return (page as {nodes: {inFlight: number}[]}).nodes.map((one) => one.inFlight)
}

test('a second node that is told in time by another process answers', async () => {
  const {door} = slowDoor()
  const gateway = await start({door})
  await gateway.nodes[0]?.set({fault: silent})
  const got = await askFirst(gateway).done
  expect(got).toMatchObject({ending: 'answered'})
  expect(got.headers).toMatchObject({'x-ollamax-node': 'n2', 'x-ollamax-attempts': '2'})
  await waitFor('both to be free', async () => (await inFlight(gateway)).join() === '0,0')
})

test.each([
  ['the first one has answered', late(400), 'answered'],
  ['the client has left', silent, 'left'],
  ['the first one has failed', silent, 'failed'],
] as const)(
  'a second node that is told after %s is not asked, and free again',
  async (_, fault, how) => {
    const {door, given, hold} = slowDoor()
    const gateway = await start({door})
    const [n1] = gateway.nodes
    const before = workOf(gateway, 1).length
    const pass = hold()
    await n1?.set({fault})
    const asked = askFirst(gateway)
    await waitFor('the order', () => given.length === 1)
    if (how === 'left') asked.leave()
    if (how === 'failed') await n1?.set({fault: {kind: 'refuse'}})
    if (how === 'failed') await waitFor('the failure', () => gateway.failures.length === 1)
    else await waitFor('the end', () => gateway.hub.size === 0)
    pass()
    if (how !== 'left') expect(await asked.done).toMatchObject({ending: 'answered'})
    await waitFor('both to be free', async () => (await inFlight(gateway)).join() === '0,0')
    // After a failure it is asked as anybody else would be: once.
    expect(workOf(gateway, 1)).toHaveLength(before + (how === 'failed' ? 1 : 0))
    expect(gateway.ended.at(-1)?.hedge).toBeUndefined()
  },
)
