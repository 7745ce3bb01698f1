import {connect} from 'node:net'
import {expect, test} from 'vitest'
import type {RequestDecision} from '../../../src/lib/cluster/live-actions.ts'
import {type Guard, openGuard} from '../../../src/lib/gateway/guard.ts'
import {gatewayHarness, linesOf, post} from '../../support/gateway-harness.ts'
import {ENDLESS} from '../../support/keyed-gateway.ts'
import {watchLive} from '../../support/live-page.ts'
import {waitFor} from '../../support/wait-for.ts'

const start = gatewayHarness()

const decisionOf = async (url: string, id: string) => {
  const reply = await fetch(`${url}/ollamax/v1/requests/${id}`)
  return {status: reply.status, told: (await reply.json()) as RequestDecision}
}
const cancel = (url: string, id: string) =>
  fetch(`${url}/ollamax/v1/requests/${id}`, {method: 'DELETE'})

test('the first frame is whole: every node in the order of the file, models, totals and their history', async () => {
  const gateway = await start([
    {models: ['tiny']},
    {fault: {kind: 'status', status: 500, on: 'all'}},
  ])
  const live = await watchLive(gateway.url)
  expect([live.status, live.type]).toEqual([200, 'application/x-ndjson'])
  const first = await live.frame('a frame', () => true)
  expect(first).toMatchObject({whole: true, order: ['n1', 'n2'], requests: []})
  expect(first.nodes).toMatchObject([
    {name: 'n1', kind: 'direct', state: 'up', drained: false, inFlight: 0, breaker: 'closed'},
    {name: 'n2', state: 'down', code: 'NODE_ERROR', loaded: [], models: []},
  ])
  expect(first.nodes[0]?.models).toMatchObject([{name: 'tiny:latest'}])
  expect(first.nodes[1]?.reason).toMatch(/no longer running/)
  expect(first.totals).toMatchObject({inFlight: 0, waiting: 0})
  expect(first.history).toBeDefined()
})

test('while nothing happens there is a frame a second, and it holds no node that is as it was', async () => {
  const gateway = await start([{}])
  const live = await watchLive(gateway.url)
  const quiet = await live.frame(
    'a frame without news',
    ({nodes, changed}) => !nodes[0] && !changed,
  )
  expect(quiet).toMatchObject({whole: false, nodes: [], requests: [], events: []})
  const at = live.frames.length
  const sinceMs = performance.now()
  await waitFor('three more', () => live.frames.length >= at + 3)
  expect(performance.now() - sinceMs).toBeLessThan(4500)
  expect(live.frames.filter(({whole}) => whole)).toHaveLength(1)
})

test('a request is seen while it runs, with its tokens a second on its node, and when it has ended', async () => {
  const gateway = await start([{...ENDLESS, decodeTokensPerS: 50, answer: 'word '.repeat(100)}])
  const live = await watchLive(gateway.url)
  await live.frame('a frame', () => true)
  const reply = await post(gateway, '/api/generate', {model: 'tiny', prompt: 'hi'})
  const id = reply.headers.get('x-ollamax-request-id') ?? ''
  const running = await live.frame('it running', ({requests}) =>
    requests.some((one) => one.id === id && one.state === 'running' && !!one.firstByteMs),
  )
  expect(running.requests[0]).toMatchObject({
    route: '/api/generate',
    model: 'tiny:latest',
    node: 'n1',
  })
  expect(Math.abs((running.requests[0]?.atMs ?? 0) - Date.now())).toBeLessThan(10_000)
  await waitFor('tokens of the node', () => (live.node('n1')?.tokensPerS ?? 0) > 5)
  expect(live.node('n1')?.inFlight).toBe(1)
  await reply.text()
  const ended = await live.frame('its end', ({requests}) =>
    requests.some((one) => one.id === id && one.state === 'ended'),
  )
  expect(ended.requests.find((one) => one.id === id)).toMatchObject({
    ...{outcome: 'ok', status: 200, answerTokens: 101, attempts: 1},
  })
  await waitFor('it in the totals', () => (live.frames.at(-1)?.totals.requestsPerS ?? 0) > 0)
  expect(live.frames.at(-1)?.totals.firstTokenMs?.p95).toBeGreaterThan(0)
  // No token counts twice, and none is lost: what was counted on the way and the rest at its end are one sum.
  await waitFor('all seconds to be over', () => live.node('n1')?.tokensPerS === 0)
  const history = gateway.live.history()
  const sum = history.reduce((all, {tokensPerS = 0}) => all + tokensPerS, 0)
  expect(sum).toBeGreaterThan(90)
  expect(sum).toBeLessThan(130)
})

test('a node that dies is down within seconds and an event tells so; so is it when it comes back', async () => {
  const gateway = await start([{}, {}])
  const live = await watchLive(gateway.url)
  await live.frame('a frame', () => true)
  await gateway.nodes[1]?.set({fault: {kind: 'refuse'}})
  await waitFor('it down', () => live.node('n2')?.state === 'down')
  await live.frame('the event', ({events}) =>
    events.some(({event, node}) => event === 'down' && node === 'n2'),
  )
  await gateway.nodes[1]?.set({fault: null})
  await waitFor('it up', () => live.node('n2')?.state === 'up')
  await live.frame('the event', ({events}) => events.some(({event}) => event === 'up'))
  expect(live.node('n1')?.state).toBe('up')
})

test('a model that is loaded and unloaded is an event, and whoever comes later hears of it, too', async () => {
  const gateway = await start([{models: ['tiny']}])
  const live = await watchLive(gateway.url)
  await live.frame('a frame', () => true)
  await (await post(gateway, '/api/generate', {model: 'tiny', prompt: 'hi'})).text()
  const loaded = await live.frame('it loaded', ({events}) =>
    events.some(({event}) => event === 'loaded'),
  )
  expect(loaded.events[0]?.text).toMatch(/n1 has loaded tiny:latest/)
  await waitFor('it on the node', () => live.node('n1')?.loaded[0]?.name === 'tiny:latest')
  const later = await watchLive(gateway.url)
  const first = await later.frame('a frame', () => true)
  expect(first.events.map(({event}) => event)).toContain('loaded')
})

test('a request that runs is cancelled: the client is told in the words of its dialect, the node sees it leave', async () => {
  const gateway = await start([ENDLESS])
  const reply = await post(gateway, '/api/generate', {model: 'tiny', prompt: 'hi'})
  const id = reply.headers.get('x-ollamax-request-id') ?? ''
  expect(await (await cancel(gateway.url, id)).json()).toEqual({id, cancelled: true})
  expect(linesOf(await reply.text()).at(-1)).toMatchObject({error: /cancelled/})
  await waitFor('the node to see it', () => (gateway.nodes[0]?.cancelled ?? 0) === 1)
  const {told} = await decisionOf(gateway.url, id)
  expect(told.request).toMatchObject({id, state: 'ended', outcome: 'cancelled'})
  expect((await cancel(gateway.url, id)).status).toBe(404)
  expect((await cancel(gateway.url, 'nobody-1')).status).toBe(404)
})

test.each([
  ['/v1/chat/completions', /"error":\{"message":"the request was cancelled/],
  ['/v1/messages', /event: error\ndata: .*the request was cancelled/],
  ['/v1/responses', /event: error\ndata: .*the request was cancelled/],
])('a stream of %s that is cancelled ends with an error of its own form', async (path, words) => {
  const gateway = await start([ENDLESS])
  const messages = [{role: 'user', content: 'hi'}]
  const body = {model: 'tiny', messages, input: 'hi', max_tokens: 1000, stream: true}
  const reply = await post(gateway, path, body)
  const id = reply.headers.get('x-ollamax-request-id') ?? ''
  expect((await cancel(gateway.url, id)).status).toBe(200)
  expect(await reply.text()).toMatch(words)
})

test('a request that waits is cancelled: no node ever gets it', async () => {
  const gateway = await start([ENDLESS], {slots: 1})
  const live = await watchLive(gateway.url)
  const first = await post(gateway, '/api/generate', {model: 'tiny', prompt: 'hi'})
  const second = post(gateway, '/api/generate', {model: 'tiny', prompt: 'ho'})
  const frame = await live.frame('it waiting', ({requests}) =>
    requests.some(({state}) => state === 'waiting'),
  )
  expect(frame.totals).toMatchObject({inFlight: 1, waiting: 1})
  const id = frame.requests.find(({state}) => state === 'waiting')?.id ?? ''
  expect((await cancel(gateway.url, id)).status).toBe(200)
  const told = await second
  expect(told.status).toBe(410)
  expect(await told.json()).toMatchObject({error: /cancelled/})
  await first.body?.cancel()
  expect(gateway.nodes[0]?.requests.filter(({method}) => method === 'POST')).toHaveLength(1)
})

test('the decision behind a request is the table as it stood then, where somebody watched, else as it is now', async () => {
  const gateway = await start([{models: ['tiny']}, {models: ['tiny']}, {models: ['other']}])
  const before = await post(gateway, '/api/generate', {model: 'tiny', prompt: 'hi'})
  await before.text()
  const now = await decisionOf(gateway.url, before.headers.get('x-ollamax-request-id') ?? '')
  expect(now.told.planIs).toBe('now')
  expect(now.told.plan?.candidates).toHaveLength(2)
  const live = await watchLive(gateway.url)
  await live.frame('a frame', () => true)
  const reply = await post(gateway, '/api/generate', {model: 'tiny', prompt: 'hi'})
  await reply.text()
  const {told} = await decisionOf(gateway.url, reply.headers.get('x-ollamax-request-id') ?? '')
  expect(told.planIs).toBe('then')
  expect(told.request).toMatchObject({
    state: 'ended',
    reason: reply.headers.get('x-ollamax-reason'),
  })
  expect(told.plan?.candidates[0]?.node).toBe(reply.headers.get('x-ollamax-node'))
  expect(told.plan?.candidates[0]?.inFlight).toBe(0)
  expect(told.plan?.excluded).toMatchObject([{node: 'n3', reason: 'no-model'}])
  expect((await decisionOf(gateway.url, 'nobody-1')).status).toBe(404)
})

test('it is for admins: others see nothing, cancel nothing, and a key for some models sees those alone', async () => {
  let admin = false
  const guard: Guard = (request) => ({
    ...openGuard(request),
    ...{admin, everyModel: false, mayUse: (model) => model === 'tiny' || model === 'tiny:latest'},
  })
  const gateway = await start([{models: ['tiny', 'secret']}], {guard})
  expect((await fetch(`${gateway.url}/ollamax/v1/live`)).status).toBe(403)
  expect((await cancel(gateway.url, 'x-1')).status).toBe(403)
  admin = true
  const live = await watchLive(gateway.url)
  const first = await live.frame('a frame', () => true)
  expect(first.nodes[0]?.models.map(({name}) => name)).toEqual(['tiny:latest'])
})

test('many may watch, but not without end; who leaves makes room', async () => {
  const gateway = await start([{}])
  const all = await Promise.all(Array.from({length: 32}, () => watchLive(gateway.url)))
  expect(all.every(({status}) => status === 200)).toBe(true)
  expect((await fetch(`${gateway.url}/ollamax/v1/live`)).status).toBe(503)
  all[0]?.leave()
  await waitFor('room', async () => (await watchLive(gateway.url)).status === 200)
})

test('for a watcher who reads nothing nothing is kept: when he reads again he gets what is new in one frame', async () => {
  const models = Array.from({length: 20_000}, (_, at) => `model-${at}`)
  const gateway = await start([{models}, {models}])
  const socket = connect(gateway.port, '127.0.0.1')
  socket.pause()
  socket.write('GET /ollamax/v1/live HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n')
  const other = await watchLive(gateway.url)
  await waitFor('frames of another one', () => other.frames.length > 5, {timeoutMs: 20_000})
  const sinceMs = Date.now()
  const chunks: Buffer[] = []
  socket.on('data', (chunk) => chunks.push(chunk))
  socket.resume()
  const later = await waitFor('a later frame', () =>
    Buffer.concat(chunks)
      .toString()
      .split('\n')
      .find((line) => /^\{.*"whole":false.*\}\r?$/.test(line)),
  )
  expect((JSON.parse(later) as {atMs: number}).atMs).toBeGreaterThanOrEqual(sinceMs)
  socket.destroy()
})

test('the watch ends at once when the gateway takes nothing new, and holds nobody up', async () => {
  const gateway = await start([{}])
  const live = await watchLive(gateway.url)
  await live.frame('a frame', () => true)
  const sinceMs = performance.now()
  await gateway.drain(20_000)
  expect(performance.now() - sinceMs).toBeLessThan(5000)
  expect(await live.ended).toBe('ended')
})
