import {readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {afterEach, expect, test} from 'vitest'
import {clusterHome} from '../../support/cluster-home.ts'
import {collector, plain} from '../../support/collector.ts'
import type {FakeOptions} from '../../support/fake-ollama/options.ts'
import {type FakeOllama, startFakeOllama} from '../../support/fake-ollama.ts'
import {type RunningServe, startServe} from '../../support/serve.ts'
import {waitFor} from '../../support/wait-for.ts'

const closers: Array<() => unknown> = []
afterEach(async () => {
  for (let close = closers.pop(); close; close = closers.pop()) await close()
})

/** A gateway as a process of its own before such nodes; it tells at its end which files it has loaded. */
async function start(options: readonly FakeOptions[], env: Readonly<Record<string, string>>) {
  const nodes = await Promise.all(options.map((one) => startFakeOllama(one)))
  const home = clusterHome(nodes)
  const loaded = join(home.dir, 'loaded')
  const hook = join(home.dir, 'hook.cjs')
  writeFileSync(
    hook,
    `process.on('exit', () => require('fs').writeFileSync(${JSON.stringify(loaded)}, Object.keys(require('module')._cache).join('\\n')))`,
  )
  closers.push(() => home.dispose(), ...nodes.map((node) => () => node.close()))
  const serve = await startServe([], {
    env: {...home.env, ...env, NODE_OPTIONS: `--require ${hook}`},
  })
  closers.push(() => serve.child.kill('SIGKILL'))
  return {nodes, serve, loaded: () => readFileSync(loaded, 'utf8')}
}

const chat = (
  {url}: RunningServe,
  headers: Readonly<Record<string, string>> = {},
  signal?: AbortSignal,
) =>
  fetch(`${url}/api/chat`, {
    method: 'POST',
    body: JSON.stringify({model: 'tiny', messages: [{role: 'user', content: 'hi'}]}),
    headers,
    ...(signal ? {signal} : {}),
  })

const seen = (node: FakeOllama | undefined) =>
  node?.requests.filter(({path}) => path === '/api/chat').map(({headers}) => headers) ?? []

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const CALLER = {traceparent: `00-${TRACE}-b7ad6b7169203331-01`, tracestate: 'vendor=1'}

test("a request's trace goes from the client over each attempt to the nodes, and is sent before the end", async () => {
  const {env, spans} = await collector()
  const sick = {fault: {kind: 'status', status: 500, on: 'inference'}} as const
  // Big, and so expected to take longer to load: the sick ones are asked first.
  const last = {models: [{name: 'tiny', sizeBytes: 50e9}]}
  const {nodes, serve, loaded} = await start([sick, sick, last], env)
  const reply = await chat(serve, CALLER)
  expect(reply.status).toBe(200)
  await reply.text()
  expect((await fetch(`${serve.url}/api/tags`)).status).toBe(200)
  expect((await fetch(`${serve.url}/healthz`)).status).toBe(200)
  serve.child.kill('SIGTERM')
  expect((await serve.ended).code).toBe(0)

  const requests = spans().filter(({kind}) => kind === 2)
  expect(requests.map(({name}) => name)).toEqual(['POST /api/chat', 'GET /api/tags'])
  const request = requests[0]
  expect(request).toMatchObject({traceId: TRACE, parentSpanId: 'b7ad6b7169203331'})
  expect(plain(request?.attributes ?? [])).toMatchObject({
    'http.response.status_code': 200,
    'ollamax.request_id': reply.headers.get('x-ollamax-request-id'),
    'ollamax.node': 'n3',
    'ollamax.outcome': 'ok',
    'gen_ai.usage.output_tokens': 16,
  })
  const attempts = spans().filter(({kind}) => kind === 3)
  expect(attempts.length).toBe(3)
  expect(reply.headers.get('x-ollamax-attempts')).toBe('3')
  for (const attempt of attempts) {
    expect(attempt).toMatchObject({traceId: TRACE, parentSpanId: request?.spanId})
    const {'ollamax.node': node, ...rest} = plain(attempt.attributes)
    const answered = node === 'n3'
    expect(rest).toEqual({
      'http.response.status_code': answered ? 200 : 500,
      ...(answered ? {} : {'error.type': 'reply'}),
    })
    const at = nodes[Number(String(node).slice(1)) - 1]
    expect(seen(at).map(({traceparent, tracestate}) => [traceparent, tracestate])).toEqual([
      [`00-${TRACE}-${attempt.spanId}-01`, 'vendor=1'],
    ])
  }
  expect(loaded()).toMatch(/trace\/otlp\.cjs/)
})

test('a client that leaves ends the spans, and neither is an error', async () => {
  const {env, spans} = await collector()
  const {nodes, serve} = await start([{fault: {kind: 'hang', on: 'inference'}}], env)
  const leave = new AbortController()
  const asked = chat(serve, {}, leave.signal).catch(() => 'left')
  await waitFor('the node to be asked', () => seen(nodes[0]).length > 0)
  leave.abort()
  expect(await asked).toBe('left')
  await serve.logged('request')
  serve.child.kill('SIGTERM')
  await serve.ended
  const all = spans().map(({name, status, attributes}) => [
    name,
    status.code ?? 0,
    plain(attributes)['error.type'],
  ])
  expect(all).toEqual([
    ['attempt', 0, undefined],
    ['POST /api/chat', 0, undefined],
  ])
})

test('while nothing is traced, OpenTelemetry is not loaded and the headers of a trace pass as they came', async () => {
  const {nodes, serve, loaded} = await start([{}], {})
  await (await chat(serve, CALLER)).text()
  expect(seen(nodes[0])).toEqual([expect.objectContaining(CALLER)])
  serve.child.kill('SIGTERM')
  await serve.ended
  expect(loaded()).toMatch(/commands\/serve\.cjs/)
  expect(loaded()).not.toMatch(/otlp/)
})

test('a collector that is not there costs no request, is said once, and does not hold up the end', async () => {
  const {serve} = await start([{}], {OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1'})
  for (let at = 0; at < 3; at++) expect((await chat(serve)).status).toBe(200)
  await serve.logged('traces cannot be delivered')
  serve.child.kill('SIGTERM')
  expect((await serve.ended).code).toBe(0)
  const said = serve.log().filter(({msg}) => String(msg).startsWith('traces cannot'))
  expect(said).toHaveLength(1)
})

test('a page that may not use it, and what a browser asks before, are in the log like every request', async () => {
  const {serve} = await start([{}], {})
  const from = (origin: string, method: string) =>
    fetch(`${serve.url}/api/tags`, {method, headers: {origin}})
  expect((await from('https://elsewhere.example', 'GET')).status).toBe(403)
  expect((await from('http://localhost:3000', 'OPTIONS')).status).toBe(204)
  const lines = await waitFor('two lines', () => {
    const found = serve.log().filter(({msg}) => msg === 'request')
    return found.length === 2 && found
  })
  expect(lines.map(({method, status, outcome}) => [method, status, outcome])).toEqual([
    ['GET', 403, 'refused'],
    ['OPTIONS', 204, 'ok'],
  ])
})
