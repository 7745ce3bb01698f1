import {readFileSync, renameSync, rmSync, writeFileSync} from 'node:fs'
import {afterEach, expect, test} from 'vitest'
import type {FleetActions} from '../../src/lib/cluster/live-actions.ts'
import {fleetActions} from '../../src/lib/jobs/live/actions.ts'
import {startFakeOllama} from '../support/fake-ollama.ts'
import {fromGateway, fromNodes, Watcher} from '../support/live-watch.ts'
import {ask, begun, serveHarness} from '../support/serve-harness.ts'
import {waitFor} from '../support/wait-for.ts'

const {home, node, write, serve, cli} = serveHarness()
const watchers: Watcher[] = []
afterEach(async () => {
  await Promise.all(watchers.splice(0).map((watcher) => watcher.stop()))
})

const ENDLESS = {decodeTokensPerS: 40, answer: 'word '.repeat(2000)}

function watch(options = {}): Watcher {
  const watcher = new Watcher(home().env, options)
  watchers.push(watcher)
  return watcher
}

/** A port that a gateway can have again after it was stopped. */
async function freePort(): Promise<number> {
  const one = await startFakeOllama()
  await one.close()
  return one.port
}

const withGateway = (file: string, url: string) =>
  writeFileSync(file, `${readFileSync(file, 'utf8')}gateway: {url: "${url}"}\n`)

/** Puts it in place as editors and `ollamax` itself do. */
function replace(file: string, text: string): void {
  writeFileSync(`${file}.new`, text)
  renameSync(`${file}.new`, file)
}

test('without a gateway the nodes are read: the first frame is there at once, each node follows, one that dies is down', async () => {
  const [one, two] = [await node(), await node()]
  write([one, two])
  const watcher = watch()
  const first = await waitFor('the first frame', () => watcher.frames[0])
  // It waits for nobody.
  expect(first).toMatchObject({whole: true, order: ['n1', 'n2']})
  expect(first.nodes.map(({state}) => state)).toEqual(['unread', 'unread'])
  expect(watcher.links).toMatchObject([{state: 'live', source: {kind: 'nodes', why: /no gateway/}}])
  await waitFor('both up', () => [...watcher.nodes.values()].every(({state}) => state === 'up'))
  expect(watcher.node('n1')?.models).toMatchObject([{name: 'tiny:latest'}])
  await two.set({fault: {kind: 'refuse'}})
  await waitFor('n2 down', () => watcher.node('n2')?.state === 'down')
  expect(watcher.node('n2')).toMatchObject({code: 'NODE_UNREACHABLE', reason: /refused/})
  await two.set({fault: null})
  await waitFor('n2 up', () => watcher.node('n2')?.state === 'up')
  expect(watcher.events.map(({event, node: name}) => [event, name])).toEqual([
    ['down', 'n2'],
    ['up', 'n2'],
  ])
})

test('what a node loads is seen within a second or two, and a node that is left alone costs two requests a second', async () => {
  const one = await node()
  write([one])
  const watcher = watch()
  await waitFor('it up', () => watcher.node('n1')?.state === 'up')
  await (await ask(one.url)).text()
  const sinceMs = performance.now()
  await waitFor('it loaded', () => watcher.node('n1')?.loaded[0]?.name === 'tiny:latest')
  expect(performance.now() - sinceMs).toBeLessThan(2500)
  const before = one.requests.length
  const readMs = watcher.node('n1')?.readAtMs ?? 0
  await waitFor('seven looks', () => (watcher.node('n1')?.readAtMs ?? 0) > readMs + 3500)
  expect(one.requests.length - before).toBeLessThanOrEqual(12)
})

test('an edit of the cluster file is seen within seconds; a broken one changes nothing, and an event says so', async () => {
  const [one, two] = [await node(), await node()]
  const file = write([one])
  const watcher = watch()
  await waitFor('it up', () => watcher.node('n1')?.state === 'up')
  write([one, two])
  await waitFor('n2 up', () => watcher.node('n2')?.state === 'up')
  expect(watcher.order).toEqual(['n1', 'n2'])
  await cli('node', 'drain', 'n1')
  await waitFor('n1 drained', () => watcher.node('n1')?.drained)
  expect(watcher.events.map(({event}) => event)).toEqual(['added', 'drained'])
  const good = readFileSync(file, 'utf8')
  replace(file, 'nodes: [[[')
  await waitFor('the trouble', () => watcher.events.some(({event}) => event === 'trouble'))
  expect([...watcher.nodes.keys()]).toEqual(['n1', 'n2'])
  rmSync(file)
  await waitFor('more trouble', () => watcher.events.some(({text}) => text.endsWith('is gone')))
  expect([...watcher.nodes.keys()]).toEqual(['n1', 'n2'])
  replace(file, good.replace(/^.*n2.*\n/m, ''))
  await waitFor('n2 gone', () => watcher.order.length === 1 && !watcher.node('n2'))
  expect(watcher.events.at(-1)).toMatchObject({event: 'removed', node: 'n2'})
})

test('a gateway that ends is told lost with the reason, and when it is back everything comes anew', async () => {
  const file = write([await node(ENDLESS)])
  const port = await freePort()
  withGateway(file, `http://127.0.0.1:${port}`)
  const first = await serve(['--listen', `127.0.0.1:${port}`])
  const watcher = watch({lostMs: 60_000})
  await watcher.link('the gateway', fromGateway)
  const stream = await begun(first.url)
  const cut = stream.whole.catch(() => {})
  await waitFor('the request', () => [...watcher.requests.values()][0]?.state === 'running')
  first.child.kill('SIGKILL')
  await watcher.link('it lost', ({state}) => state === 'lost')
  expect(watcher.links.at(-1)).toMatchObject({reason: new RegExp(`127.0.0.1:${port}`)})
  expect(watcher.node('n1')?.state).toBe('up')
  await cut
  const before = watcher.frames.length
  await serve(['--listen', `127.0.0.1:${port}`])
  await watcher.link('it back', fromGateway)
  await waitFor('a frame', () => watcher.frames.length > before)
  expect(watcher.frames[before]?.whole).toBe(true)
  expect(watcher.requests.size).toBe(0)
})

test('a gateway that is not there is done without, one that stays away too; one that comes is watched', async () => {
  const file = write([await node()])
  const port = await freePort()
  withGateway(file, `http://127.0.0.1:${port}`)
  const watcher = watch({lostMs: 500})
  await watcher.link('the nodes', fromNodes)
  expect(watcher.links.at(-1)).toMatchObject({source: {why: /no gateway answers/}})
  await waitFor('it up', () => watcher.node('n1')?.state === 'up')
  const gateway = await serve(['--listen', `127.0.0.1:${port}`])
  await watcher.link('the gateway', fromGateway)
  await waitFor('totals of it', () => watcher.frames.at(-1)?.totals.waiting !== undefined)
  gateway.child.kill('SIGTERM')
  await watcher.link('the nodes again', fromNodes)
  const at = watcher.frames.length
  await waitFor('them read', () =>
    watcher.frames.slice(at).some(({nodes}) => nodes[0]?.state === 'up'),
  )
})

test('a gateway whose key may not see how it works is said so, and the nodes are read', async () => {
  const file = write([await node()])
  const key = (await cli('key', 'create', 'user')).stdout.trim()
  const gateway = await serve()
  writeFileSync(
    file,
    `${readFileSync(file, 'utf8')}gateway: {url: "${gateway.url}", key: {env: GATEWAY_KEY}}\n`,
  )
  Object.assign(home().env, {GATEWAY_KEY: key})
  const watcher = watch()
  await watcher.link('the nodes', fromNodes)
  expect(watcher.links.at(-1)).toMatchObject({source: {why: /--admin/}})
})

test('what stands at the address and is no gateway ends nothing', async () => {
  const one = await node()
  const file = write([one])
  withGateway(file, one.url)
  const watcher = watch()
  await watcher.link('the nodes', fromNodes)
  await waitFor('it up', () => watcher.node('n1')?.state === 'up')
})

test.each([['1'], ['2']])(
  'with %s workers the view is one: requests, tokens, decisions, and a cancel finds its worker',
  async (workers) => {
    const file = write(
      [await node({...ENDLESS, slots: 4}), await node()],
      ', ollama: {env: {OLLAMA_NUM_PARALLEL: "4"}}',
    )
    const gateway = await serve(['--workers', workers])
    withGateway(file, gateway.url)
    const watcher = watch()
    const actions: FleetActions = fleetActions(watcher.tools)
    await watcher.link('the gateway', fromGateway)
    const streams = await Promise.all(
      Array.from({length: 4}, () =>
        fetch(`${gateway.url}/api/generate`, {
          method: 'POST',
          body: JSON.stringify({model: 'tiny', prompt: 'hi'}),
          headers: {'x-ollamax-node': 'n1'},
        }),
      ),
    )
    const ids = streams.map(({headers}) => headers.get('x-ollamax-request-id') ?? '')
    await waitFor('all running', () => ids.every((id) => watcher.requests.get(id)?.firstByteMs))
    expect(watcher.node('n1')?.inFlight).toBe(4)
    await waitFor('tokens', () => (watcher.node('n1')?.tokensPerS ?? 0) > 20)
    const decision = await actions.decision(ids[0] ?? '')
    expect(decision).toMatchObject({request: {id: ids[0], state: 'running'}, planIs: 'then'})
    expect(decision.plan?.candidates[0]?.node).toBe('n1')
    for (const id of ids) await actions.cancel(id)
    for (const stream of streams)
      expect(await stream.text()).toMatch(/"error":"the request was cancelled/)
    await waitFor('all ended', () => ids.every((id) => watcher.requests.get(id)?.state === 'ended'))
    expect(watcher.requests.get(ids[0] ?? '')?.outcome).toBe('cancelled')
    await expect(actions.cancel(ids[0] ?? '')).rejects.toMatchObject({code: 'REQUEST_NOT_FOUND'})
    await expect(actions.decision('nobody-1')).rejects.toMatchObject({code: 'REQUEST_NOT_FOUND'})
  },
)

test('actions drain, undrain and pull, and say what they cannot do', async () => {
  const one = await node({pullable: ['fresh']})
  write([one])
  const watcher = watch()
  const actions = fleetActions(watcher.tools)
  expect(await actions.drain('n1')).toEqual({changed: true})
  expect(await actions.drain('n1')).toEqual({changed: false})
  await waitFor('it drained', () => watcher.node('n1')?.drained)
  expect(await actions.undrain('n1')).toEqual({changed: true})
  const {signal} = new AbortController()
  const reports: string[] = []
  await actions.pull('n1', 'fresh', ({kind}) => reports.push(kind), signal)
  expect(reports).toContain('done')
  await waitFor(
    'it on the node',
    () => watcher.node('n1')?.models.some(({name}) => name === 'fresh:latest'),
    {timeoutMs: 15_000},
  )
  const failing: readonly (readonly [() => Promise<unknown>, string])[] = [
    [() => actions.drain('nobody'), 'NODE_NOT_FOUND'],
    [() => actions.restart('n1'), 'BAD_INPUT'],
    [() => actions.pull('n1', 'none', () => {}, signal), 'MODEL_NOT_FOUND'],
    [() => actions.followLogs('n1', () => {}, signal), 'BAD_INPUT'],
    [() => actions.cancel('x-1'), 'BAD_INPUT'],
  ]
  for (const [work, code] of failing) await expect(work()).rejects.toMatchObject({code})
})

test('of two hundred nodes each is seen, with or without a gateway, and those that die are told', async () => {
  const nodes = await Promise.all(Array.from({length: 200}, () => node()))
  const file = write(nodes)
  const up = (watcher: Watcher) =>
    [...watcher.nodes.values()].filter(({state}) => state === 'up').length
  const reading = watch()
  await waitFor('all of them', () => up(reading) === 200, {timeoutMs: 20_000})
  expect(reading.order).toHaveLength(200)
  const gateway = await serve()
  withGateway(file, gateway.url)
  await reading.link('the gateway', fromGateway)
  await waitFor('all of them', () => up(reading) === 200, {timeoutMs: 20_000})
  await Promise.all(nodes.slice(50, 60).map((one) => one.set({fault: {kind: 'refuse'}})))
  await waitFor('ten down', () => up(reading) === 190, {timeoutMs: 20_000})
  await waitFor('ten events', () =>
    [50, 59].every((at) =>
      reading.events.some(({event, node: name}) => event === 'down' && name === `n${at + 1}`),
    ),
  )
}, 60_000)

test('what the reconciler sees and does is told to whoever watches', async () => {
  const one = await node({models: ['tiny']})
  const file = write([one])
  writeFileSync(file, `${readFileSync(file, 'utf8')}models: [{name: tiny, warm: true}]\n`)
  const gateway = await serve(['--reconcile', '--reconcile-every', '1s'])
  withGateway(file, gateway.url)
  const watcher = watch()
  await watcher.link('the gateway', fromGateway)
  const names = () => watcher.events.map(({event}) => event)
  await waitFor('it done', () =>
    ['started', 'begun', 'done'].every((it) => names().includes(it as 'done')),
  )
  await waitFor('it loaded', () => names().includes('loaded'))
})

test('the watch ends when it is told to, wherever it is, and then nothing comes any more', async () => {
  const file = write([await node(), await node({fault: {kind: 'hang', on: 'all'}})])
  const watcher = watch()
  await waitFor('one up', () => watcher.node('n1')?.state === 'up')
  const sinceMs = performance.now()
  await watcher.stop()
  expect(performance.now() - sinceMs).toBeLessThan(1000)
  const {length} = watcher.frames
  withGateway(file, 'http://127.0.0.1:9')
  const broken = watch()
  await waitFor('a frame', () => broken.frames[0])
  await broken.stop()
  expect(watcher.frames).toHaveLength(length)
})
