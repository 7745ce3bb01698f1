import {afterEach, expect, test} from 'vitest'
import type {SeenRequest} from '../../support/fake-ollama.ts'
import type {TestGateway} from '../../support/gateway.ts'
import {gatewayHarness} from '../../support/gateway-harness.ts'
import {type Asked, ask, askMany, figures, quantile} from '../../support/load.ts'
import {type NodeProcess, startNodeProcess} from '../../support/node-process.ts'
import {waitFor} from '../../support/wait-for.ts'

// Nodes that go wrong in front of their clients' eyes; each test prints what became of the requests.

const processes: NodeProcess[] = []
afterEach(async () => {
  for (const one of processes.splice(0)) await one.kill()
})

const start = gatewayHarness()

// Long enough that nodes show how fast they read: a hang is called so by what a node has shown.
const content = 'why is the sky blue and the grass green '.repeat(4)
const chat = {model: 'tiny', messages: [{role: 'user', content}]}
const whole = {...chat, stream: false}
const asked = (requests: readonly SeenRequest[]) =>
  requests.filter(({path}) => path === '/api/chat')
const workOf = (gateway: TestGateway, at: number) => asked(gateway.nodes[at]?.requests ?? [])

/** Makes every node's speed known and its model loaded. */
async function warmUp(gateway: TestGateway, rounds = 8) {
  for (let round = 0; round < rounds; round++)
    await Promise.all(
      gateway.nodes.map((_, at) => {
        const headers = {'x-ollamax-node': `n${at + 1}`}
        return ask(gateway.url, chat, {headers}).done
      }),
    )
}

test('kill -9 of a node under 100 streams fails none that had no byte, and tells the others', async () => {
  // More at once than the node does: some wait at the node, without a byte yet.
  const behaviour = {slots: 17, decodeTokensPerS: 40, answerTokens: 60}
  for (let at = 0; at < 3; at++) processes.push(await startNodeProcess(behaviour))
  const gateway = await start([], {urls: processes.map(({url}) => url), slots: 34})
  const streams: Asked[] = Array.from({length: 100}, () => ask(gateway.url, chat))
  const [victim] = processes
  await waitFor('all streams to be at a node', async () => {
    const seen = await Promise.all(processes.map(async (one) => asked(await one.requests()).length))
    return seen.reduce((sum, count) => sum + count, 0) === 100
  })
  await waitFor('two words of half of them', () => streams.filter((one) => one.begun()).length > 50)
  await victim?.kill()
  const all = await Promise.all(streams.map((one) => one.done))
  const spared = all.filter(
    ({ending, text}) => ending !== 'answered' && !text.includes('"content"'),
  ).length
  const told = all.filter(({ending}) => ending === 'told')
  const {failed} = figures('kill -9 under 100 streams', all, {
    'failed without a byte before': spared,
    'told by an error line': told.length,
  })
  expect(spared).toBe(0)
  expect(failed).toBeGreaterThan(0)
  expect(told).toHaveLength(failed)
  for (const {text} of told) expect(text).toMatch(/\n\{"error":"node n1 broke off[^\n]*\}\n$/)
})

test('a runner that hangs while tags answer is found out, avoided, and recovered by one probe', async () => {
  const behaviour = {slots: 4, decodeTokensPerS: 400, firstTokenDelayMs: 50}
  const gateway = await start([behaviour, behaviour], {slots: 4})
  await warmUp(gateway)
  const [sick] = gateway.nodes
  const before = workOf(gateway, 0).length
  await sick?.set({fault: {kind: 'hang', on: 'inference'}})
  const first = await askMany(40, 8, () => ask(gateway.url, chat))
  const caught = workOf(gateway, 0).length - before
  const during = await askMany(60, 8, () => ask(gateway.url, chat))
  const avoided = workOf(gateway, 0).length - before - caught
  expect(await (await fetch(`${sick?.url}/api/tags`)).json()).toHaveProperty('models')
  await sick?.set({fault: null})
  const seen = workOf(gateway, 0).length
  const pinned = Array.from({length: 8}, () =>
    ask(gateway.url, chat, {headers: {'x-ollamax-node': 'n1'}}),
  )
  let beside = 0
  await waitFor(
    'the probe',
    () => {
      const [probe, ...others] = workOf(gateway, 0).slice(seen)
      if (probe?.outcome === 'open') beside = Math.max(beside, others.length)
      return probe?.outcome === 'answered'
    },
    {everyMs: 1},
  )
  const later = await Promise.all(pinned.map(({done}) => done))
  const all = [...first, ...during, ...later]
  const {failed} = figures('hung runner', all, {
    'caught by it': caught,
    'sent there later': avoided,
    'beside the probe': beside,
    'slowest ms': Math.max(...first.map(({totalMs}) => totalMs)),
  })
  expect({failed, beside}).toEqual({failed: 0, beside: 0})
  expect(caught).toBeLessThanOrEqual(8)
  expect(avoided).toBeLessThanOrEqual(2)
})

test('a node that answers 500 at once attracts no requests', async () => {
  const gateway = await start(
    [
      {fault: {kind: 'status', status: 500, on: 'inference'}},
      {slots: 8, decodeTokensPerS: 200, answerTokens: 20},
    ],
    {slots: 8},
  )
  const all = await askMany(200, 16, () => ask(gateway.url, chat))
  const sick = workOf(gateway, 0).length
  const {failed} = figures('500 at once', all, {'asked of it': sick})
  expect(failed).toBe(0)
  expect(sick).toBeLessThan(20)
})

test('a flapping node costs no client its answer', async () => {
  const gateway = await start([{slots: 4, decodeTokensPerS: 400}, {slots: 4}], {slots: 4})
  await warmUp(gateway)
  let flips = 0
  let flipping = Promise.resolve()
  const all = await askMany(
    300,
    8,
    () => ask(gateway.url, whole),
    (_, at) => {
      if (at % 10 !== 0) return
      const fault = flips++ % 2 === 0 ? ({kind: 'refuse'} as const) : null
      flipping = flipping.then(() => gateway.nodes[1]?.set({fault}))
    },
  )
  await flipping
  const {failed, answered} = figures('flapping node', all, {
    flips,
    'by it': workOf(gateway, 1).length,
  })
  expect({failed, answered}).toEqual({failed: 0, answered: 300})
})

test('when all nodes fail, retries are a fifth of the requests at most, beyond the floor', async () => {
  const fault = {kind: 'status', status: 500, on: 'inference'} as const
  const gateway = await start([{fault}, {fault}, {fault}, {fault}], {
    slots: 8,
    dispatch: {nodeWaitMs: 500},
  })
  const sentMs = performance.now()
  const all = await askMany(400, 80, () => ask(gateway.url, chat))
  const tookMs = performance.now() - sentMs
  const upstream = gateway.nodes.reduce((sum, _, at) => sum + workOf(gateway, at).length, 0)
  const {retried, answered} = figures('all nodes fail', all, {
    'asked of nodes': upstream,
    'took ms': tookMs,
    'p50 ms': quantile(
      all.map(({totalMs}) => totalMs),
      0.5,
    ),
    'slowest ms': Math.max(...all.map(({totalMs}) => totalMs)),
  })
  expect(answered).toBe(0)
  for (const got of all) expect(got.ending).toBe('told')
  // Each window of 10 s has its floor.
  const windows = Math.ceil(tookMs / 10_000)
  expect(retried).toBeLessThanOrEqual(Math.max(10 * windows, 0.2 * all.length))
})
