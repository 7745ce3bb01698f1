import {expect, test} from 'vitest'
import type {FakeOllama} from '../../support/fake-ollama.ts'
import {gatewayHarness, post} from '../../support/gateway-harness.ts'
import {watchLive} from '../../support/live-page.ts'
import {waitFor} from '../../support/wait-for.ts'

// What the gateway asks its nodes to know how they are, and when.

const start = gatewayHarness()
/** As in life, but faster; only what is asked for in the test is due. */
const NEVER = 600_000
const RARE = {watchedMs: NEVER, busyMs: NEVER, idleMs: NEVER, catalogueMs: NEVER, downMs: NEVER}
const names = async (reply: Response) =>
  ((await reply.json()) as {models: {name: string}[]}).models.map(({name}) => name)

/** How often a node was asked for that. */
const asked = (node: FakeOllama | undefined, path: string) =>
  node?.requests.filter((request) => request.path === path).length ?? 0

test('the models and the version are asked for rarely, what is in memory at every look', async () => {
  const gateway = await start([{}], {pace: {...RARE, idleMs: 20}})
  const [node] = gateway.nodes
  await waitFor('twenty looks', () => asked(node, '/api/ps') > 20)
  expect(asked(node, '/api/tags')).toBe(1)
  expect(asked(node, '/api/version')).toBe(1)
  expect(gateway.fleet.node('n1')?.reading).toMatchObject({
    kind: 'up',
    version: '0.33.0',
    models: [{name: 'tiny:latest'}],
  })
})

test('they are asked for again when they have become old', async () => {
  const gateway = await start([{}], {pace: {...RARE, idleMs: 20, catalogueMs: 200}})
  const [node] = gateway.nodes
  await node?.set({version: '0.34.0'})
  await waitFor('the new version', () => {
    const reading = gateway.fleet.node('n1')?.reading
    return reading?.kind === 'up' && reading.version === '0.34.0'
  })
  expect(asked(node, '/api/ps')).toBeGreaterThan(asked(node, '/api/tags'))
})

test('a node that a request goes to is looked at often, and while it has one in hand', async () => {
  const slow = {decodeTokensPerS: 20, answerTokens: 1000}
  const gateway = await start([slow, {}], {pace: {...RARE, busyMs: 30}})
  const stop = new AbortController()
  const init = {signal: stop.signal, headers: {'x-ollamax-node': 'n1'}}
  const reply = await post(gateway, '/api/generate', {model: 'tiny', prompt: 'hi'}, init)
  await waitFor('looks at it', () => asked(gateway.nodes[0], '/api/ps') > 10)
  expect(asked(gateway.nodes[1], '/api/ps')).toBe(1)
  expect(gateway.fleet.node('n1')?.ps).toHaveLength(1)
  stop.abort()
  await reply.text().catch(() => {})
})

test('nodes that somebody watches are looked at so often that he sees within a second what they load', async () => {
  const gateway = await start([{}], {pace: {...RARE, watchedMs: 20}})
  const [node] = gateway.nodes
  const live = await watchLive(gateway.url)
  await waitFor('ten looks', () => asked(node, '/api/ps') > 10)
  const body = JSON.stringify({model: 'tiny', prompt: 'hi', stream: false})
  await (await fetch(`${node?.url}/api/generate`, {method: 'POST', body})).text()
  await waitFor('it shown', () => live.node('n1')?.loaded[0]?.name === 'tiny:latest')
  await live.frame('its event', ({events}) => events.some(({event}) => event === 'loaded'))
  expect(asked(node, '/api/tags')).toBe(1)
})

test('a model that a node turns out not to have is looked for at once, and found elsewhere', async () => {
  const pace = {...RARE, busyMs: 1}
  const gateway = await start([{models: ['tiny', 'm']}, {models: ['tiny']}], {pace})
  await gateway.nodes[0]?.set({models: ['tiny']})
  await gateway.nodes[1]?.set({models: ['tiny', 'm']})
  const reply = await post(gateway, '/api/generate', {model: 'm', prompt: 'hi', stream: false})
  expect(reply.status).toBe(200)
  expect(reply.headers.get('x-ollamax-node')).toBe('n2')
  expect(await names(await fetch(`${gateway.url}/api/tags`))).toContain('m:latest')
})

test('a model that was brought to a node behind our back is found by whoever asks for it', async () => {
  for (const [path, body] of [
    ['/api/generate', {model: 'm', prompt: 'hi', stream: false}],
    ['/v1/chat/completions', {model: 'm', messages: [{role: 'user', content: 'hi'}]}],
    ['/api/show', {model: 'm'}],
  ] as const) {
    const gateway = await start([{models: ['tiny']}, {models: ['tiny']}], {
      pace: {...RARE, busyMs: 1},
    })
    await gateway.nodes[1]?.set({models: ['tiny', 'm']})
    expect((await post(gateway, path, body)).status).toBe(200)
  }
})

test('a model that nobody has costs no more looks than the nodes get anyway', async () => {
  const gateway = await start([{}, {}], {pace: RARE})
  const ask = () => post(gateway, '/api/generate', {model: 'none', prompt: 'hi'})
  for (const reply of await Promise.all(Array.from({length: 20}, ask))) {
    expect(reply.status).toBe(404)
    expect(await reply.text()).toContain("model 'none' not found")
  }
  for (const node of gateway.nodes) expect(asked(node, '/api/tags')).toBe(1)
})

test('a list is never older than a look at a busy node, and one that hangs delays it a moment alone', async () => {
  const gateway = await start([{models: ['tiny']}, {models: ['tiny']}], {
    pace: {...RARE, busyMs: 1},
  })
  await gateway.nodes[0]?.set({models: ['tiny', 'm']})
  await gateway.nodes[1]?.set({fault: {kind: 'hang'}})
  const beganMs = performance.now()
  expect(await names(await fetch(`${gateway.url}/api/tags`))).toContain('m:latest')
  expect(performance.now() - beganMs).toBeLessThan(2000)
})

test('a model in memory that no list knows has the lists read anew, once', async () => {
  const gateway = await start([{models: ['tiny']}], {pace: {...RARE, idleMs: 20}})
  const [node] = gateway.nodes
  await node?.set({models: ['tiny', 'm']})
  const body = JSON.stringify({model: 'm', prompt: 'hi', stream: false})
  await (await fetch(`${node?.url}/api/generate`, {method: 'POST', body})).text()
  await waitFor('the model to be known', () => gateway.fleet.node('n1')?.tags.length === 2)
  const looks = asked(node, '/api/ps')
  await waitFor('ten looks more', () => asked(node, '/api/ps') > looks + 10)
  expect(asked(node, '/api/tags')).toBe(2)
})
