import {describe, expect, test} from 'vitest'
import type {FakeOptions} from '../../support/fake-ollama/options.ts'
import type {TestGateway} from '../../support/gateway.ts'
import {gatewayHarness, linesOf, post} from '../../support/gateway-harness.ts'
import {waitFor} from '../../support/wait-for.ts'

const start = gatewayHarness()
const chat = {model: 'tiny', messages: [{role: 'user', content: 'hi'}]}

describe('an answer', () => {
  test('comes through as the node gave it, with headers that say who and why', async () => {
    const gateway = await start([{}])
    const through = await post(gateway, '/api/chat', {...chat, options: {seed: 7}})
    const direct = await fetch(`${gateway.nodes[0]?.url}/api/chat`, {
      method: 'POST',
      body: JSON.stringify({...chat, options: {seed: 7}}),
    })
    const words = (lines: {message: {content: string}}[]) =>
      lines.map(({message}) => message.content).join('')
    expect(through.status).toBe(200)
    expect(through.headers.get('content-type')).toBe(direct.headers.get('content-type'))
    expect(words(linesOf(await through.text()))).toBe(words(linesOf(await direct.text())))
    expect(through.headers.get('x-ollamax-node')).toBe('n1')
    expect(through.headers.get('x-ollamax-attempts')).toBe('1')
    expect(through.headers.get('x-ollamax-request-id')).toMatch(/^[a-z0-9]{5}-[a-z0-9]+$/)
    expect(through.headers.get('x-ollamax-queue-ms')).toMatch(/^\d+$/)
    expect(through.headers.get('x-ollamax-reason')).toMatch(/^[ -~]+$/)
  })

  test('that is whole has its length, and its counts are noted', async () => {
    const gateway = await start([{}])
    const reply = await post(gateway, '/api/generate', {model: 'tiny', prompt: 'hi', stream: false})
    const text = await reply.text()
    expect(Number(reply.headers.get('content-length'))).toBe(Buffer.byteLength(text))
    expect(JSON.parse(text)).toMatchObject({done: true})
    const [ended] = await waitFor('the end', () => gateway.ended.length > 0 && gateway.ended)
    expect(ended).toMatchObject({outcome: 'ok', answerTokens: 16, node: 'n1', model: 'tiny'})
  })

  test('reaches the client token by token', async () => {
    const gateway = await start([{decodeTokensPerS: 20, answerTokens: 10}])
    const reply = await post(gateway, '/api/chat', chat)
    let pieces = 0
    for await (const _ of reply.body ?? []) pieces++
    expect(pieces).toBeGreaterThan(5)
  })
})

describe("a node's own identity and ours", () => {
  test('the node sees neither credentials nor Origin nor headers of ours', async () => {
    const gateway = await start([{}])
    await post(gateway, '/api/chat', chat, {
      headers: {
        authorization: 'Bearer secret',
        'x-api-key': 'secret',
        cookie: 'a=secret',
        origin: 'http://localhost:3000',
        'x-ollamax-session': 's1',
        'x-custom': 'kept',
      },
    })
    const seen = gateway.nodes[0]?.requests.find(({path}) => path === '/api/chat')
    expect(JSON.stringify(seen?.headers)).not.toMatch(/secret|localhost:3000|ollamax/)
    expect(seen?.headers['x-custom']).toBe('kept')
  })

  test('calls that act with the identity of a node are not passed on', async () => {
    const gateway = await start([{}])
    for (const path of ['/api/me', '/api/signout', '/api/experimental/web_search']) {
      expect((await post(gateway, path, {})).status).toBe(403)
      expect(gateway.nodes[0]?.requests.some((seen) => seen.path === path)).toBe(false)
    }
  })

  test('models of the cloud are refused unless allowed', async () => {
    const gateway = await start([{models: ['tiny', 'big:cloud']}])
    const ask = {model: 'big:cloud', prompt: 'hi', stream: false}
    expect((await post(gateway, '/api/generate', ask)).status).toBe(403)
    const allowing = await start([{models: ['big:cloud']}], {allowCloud: true})
    expect((await post(allowing, '/api/generate', ask)).status).toBe(200)
  })
})

describe('the union over the fleet', () => {
  test('tags, ps and models tell of all nodes; a dead one delays nobody', async () => {
    const gateway = await start([
      {models: ['tiny', 'only-here']},
      {models: ['tiny', 'only-there']},
      {models: ['lost'], fault: {kind: 'hang'}},
    ])
    const startedMs = performance.now()
    const tags = (await (await fetch(`${gateway.url}/api/tags`)).json()) as {
      models: {name: string}[]
    }
    expect(performance.now() - startedMs).toBeLessThan(1000)
    expect(tags.models.map(({name}) => name).sort()).toEqual([
      'only-here:latest',
      'only-there:latest',
      'tiny:latest',
    ])
    const models = (await (await fetch(`${gateway.url}/v1/models`)).json()) as {
      data: {id: string}[]
    }
    expect(models.data).toHaveLength(3)
    await (await post(gateway, '/api/generate', {model: 'only-there', prompt: 'x'})).text()
    gateway.fleet.look('n2')
    const ps = await waitFor('the loaded model', async () => {
      const {models: all} = (await (await fetch(`${gateway.url}/api/ps`)).json()) as {
        models: {name: string; node: string}[]
      }
      return all.length > 0 && all
    })
    expect(ps).toMatchObject([{name: 'only-there:latest', node: 'n2'}])
  })

  test('the version is the oldest one, which all can do; without any it is not made up', async () => {
    const gateway = await start([{version: '0.33.0'}, {version: '0.9.10'}])
    expect(await (await fetch(`${gateway.url}/api/version`)).json()).toEqual({version: '0.9.10'})
    const none = await start([])
    expect((await fetch(`${none.url}/api/version`)).status).toBe(503)
    expect((await fetch(`${none.url}/readyz`)).status).toBe(503)
    expect((await fetch(`${none.url}/healthz`)).status).toBe(200)
  })
})

describe('failover before the first byte', () => {
  const faults: FakeOptions['fault'][] = [
    {kind: 'refuse'},
    {kind: 'reset', on: 'inference'},
    {kind: 'status', status: 500, on: 'inference'},
    {kind: 'status', status: 503, on: 'inference'},
    {kind: 'status', status: 429, on: 'inference'},
    {kind: 'cut', afterTokens: 0, how: 'error-line', on: 'inference'},
    {kind: 'cut', afterTokens: 0, how: 'rst', on: 'inference'},
    {kind: 'cut', afterTokens: 0, how: 'clean', on: 'inference'},
  ]
  test.each(faults)('%j costs no client its answer', async (fault) => {
    const gateway = await start([{}, {}])
    await gateway.nodes[0]?.set({fault: fault ?? null})
    const replies = await Promise.all(
      Array.from({length: 20}, () =>
        post(gateway, '/api/chat', chat).then(async (r) => [r.status, await r.text()]),
      ),
    )
    for (const [status, text] of replies) {
      expect(status).toBe(200)
      expect(linesOf(String(text)).at(-1)).toMatchObject({done: true})
    }
  })

  test('a mistake of the caller is told once, in the words of the node', async () => {
    const gateway = await start([{}, {}])
    const reply = await post(gateway, '/api/chat', {...chat, options: {num_ctx: 'big'}})
    expect(reply.status).toBe(500)
    expect(await reply.json()).toEqual({error: 'option "num_ctx" must be of type integer'})
    const asked = gateway.nodes.flatMap((node) =>
      node.requests.filter(({path}) => path === '/api/chat'),
    )
    expect(asked).toHaveLength(1)
  })

  test('when all fail, the last word is the error of a node', async () => {
    const gateway = await start([{}, {}])
    for (const node of gateway.nodes)
      await node.set({fault: {kind: 'status', status: 500, on: 'inference'}})
    const reply = await post(gateway, '/api/chat', chat)
    expect(reply.status).toBe(500)
    expect(await reply.json()).toHaveProperty('error')
    expect(reply.headers.get('x-ollamax-attempts')).toBe('2')
  })
})

describe('vectors', () => {
  const ask = {model: 'm', input: 'hi'}

  test('come from a node that lists its model as one that makes none', async () => {
    const liar = {name: 'm', capabilities: ['embedding'], listedCapabilities: ['completion']}
    const gateway = await start([{models: [liar]}])
    expect((await post(gateway, '/api/embed', ask)).status).toBe(200)
  })

  test('of a model that makes none: the words are those of the node, and the node stays well', async () => {
    const gateway = await start([{models: ['m']}, {models: ['m']}])
    for (const path of ['/api/embed', '/v1/embeddings'])
      for (let count = 0; count < 5; count++) {
        const reply = await post(gateway, path, ask)
        expect(reply.status).toBe(501)
        expect(await reply.text()).toContain('This server does not support embeddings')
      }
    const reply = await post(gateway, '/api/generate', {model: 'm', prompt: 'hi'})
    expect(reply.status).toBe(200)
  })
})

describe('vectors of a model that makes none on this node, and maybe on an older one', () => {
  const ask = {model: 'm', input: 'hi'}
  /** Ollama 0.24 tells of no model what it can, and makes vectors of chat models. */
  const old = {
    models: [{name: 'm', capabilities: ['completion', 'embedding'], listedCapabilities: null}],
  }
  const own = async (gateway: TestGateway, headers: Record<string, string> = {}) => {
    const reply = await post(gateway, '/api/embed', ask, {headers})
    return {status: reply.status, text: await reply.text()}
  }

  test('come from the older one', async () => {
    const gateway = await start([{models: ['m']}, old])
    expect(await own(gateway)).toMatchObject({status: 200})
  })

  test('are refused in the words of the node where the older one is down', async () => {
    const gateway = await start([{models: ['m']}, old])
    await gateway.nodes[1]?.set({fault: {kind: 'refuse'}})
    await gateway.fleet.fresh(['n2'], 5000)
    const {status, text} = await own(gateway)
    expect({status, text}).toMatchObject({status: 501})
    expect(text).toContain('This server does not support embeddings')
  })

  test('are refused in the words of the node that the client asks for', async () => {
    const gateway = await start([{models: ['m']}, old])
    expect(await own(gateway, {'x-ollamax-node': 'n1'})).toMatchObject({status: 501})
  })

  test('are to be asked for again while the node is down that lists it as one that makes them', async () => {
    const able = {models: [{name: 'm', capabilities: ['embedding']}]}
    const gateway = await start([{models: ['m']}, able])
    await gateway.nodes[1]?.set({fault: {kind: 'refuse'}})
    await gateway.fleet.fresh(['n2'], 5000)
    expect(await own(gateway)).toMatchObject({status: 503})
  })
})

test('who waited with status lines gets an answer that is no stream as one more line', async () => {
  const gateway = await start([{decodeTokensPerS: 20, answerTokens: 10}], {slots: 1})
  const first = post(gateway, '/api/chat', chat)
  await waitFor('it to run', () =>
    gateway.nodes[0]?.requests.some(({path}) => path === '/api/chat'),
  )
  const load = {model: 'tiny', prompt: ''}
  const headers = {'x-ollamax-queue-status': 'true'}
  const lines = linesOf(await (await post(gateway, '/api/generate', load, {headers})).text())
  expect(lines[0]).toMatchObject({status: 'queued'})
  expect(lines.at(-1)).toMatchObject({done: true, done_reason: 'load'})
  await (await first).text()
})

describe('after the first byte', () => {
  test.each(['rst', 'fin', 'clean'] as const)(
    'a stream that ends by %s ends in an error line',
    async (how) => {
      const gateway = await start([{fault: {kind: 'cut', afterTokens: 3, how, on: 'inference'}}])
      const lines = linesOf(await (await post(gateway, '/api/chat', chat)).text())
      expect(lines.at(-1)).toHaveProperty('error')
      expect(lines.filter(({message}) => message)).toHaveLength(3)
      await waitFor('the end', () => gateway.ended.length > 0)
      expect(gateway.ended[0]?.outcome).toBe('failed')
    },
  )

  test('the error line of the node itself is passed on as it is', async () => {
    const fault = {kind: 'cut', afterTokens: 3, how: 'error-line', on: 'inference'} as const
    const gateway = await start([{fault}])
    const lines = linesOf(await (await post(gateway, '/api/chat', chat)).text())
    expect(lines.filter(({error}) => error)).toHaveLength(1)
    expect(gateway.ended[0]?.outcome).toBe('failed')
  })
})

describe('the client', () => {
  // How soon is measured in faults-clients.test.ts.
  test('that leaves ends the work upstream', async () => {
    const gateway = await start([{decodeTokensPerS: 20, answerTokens: 1000}])
    const stop = new AbortController()
    const reply = await post(gateway, '/api/chat', chat, {signal: stop.signal})
    await reply.body?.getReader().read()
    stop.abort()
    await waitFor('the cancel', () => gateway.nodes[0]?.cancelled === 1)
    expect(gateway.ended.at(-1)?.outcome).toBe('cancelled')
    expect(gateway.hub.size).toBe(0)
  })

  test('that reads slowly holds the node back, and gets everything', async () => {
    const gateway = await start([{answerTokens: 20_000}])
    const reply = await post(gateway, '/api/chat', chat)
    const reader = reply.body?.getReader()
    await reader?.read()
    let bytes = 0
    for (let next = await reader?.read(); next && !next.done; next = await reader?.read())
      bytes += next.value.length
    expect(bytes).toBeGreaterThan(1_000_000)
    expect(gateway.ended.at(-1)?.outcome).toBe('ok')
  })

  test('with too large a body is told so, and its connection closed', async () => {
    const gateway = await start([{}], {limits: {maxBodyBytes: 1000}})
    const reply = await post(gateway, '/api/chat', {...chat, filler: 'x'.repeat(2000)})
    expect(reply.status).toBe(413)
    expect(reply.headers.get('connection')).toBe('close')
  })

  test('may send 20 MB', async () => {
    const gateway = await start([{}])
    const reply = await post(gateway, '/api/chat', {
      model: 'tiny',
      messages: [{role: 'user', content: 'x'.repeat(20_000_000)}],
      stream: false,
    })
    expect(reply.status).toBe(200)
  })

  test.each([
    ['', 400],
    ['{', 400],
    ['[]', 400],
    ['{"model":"tiny","MODEL":"other"}', 400],
    ['{"messages":[]}', 400],
    ['{"model":"nope","messages":[]}', 404],
  ])('that sends %j gets %i in JSON', async (body, status) => {
    const gateway = await start([{}])
    const reply = await post(gateway, '/api/chat', body)
    expect(reply.status).toBe(status)
    expect(await reply.json()).toHaveProperty('error')
  })

  test('that sends bytes which are no UTF-8 gets an answer, not a crash', async () => {
    const gateway = await start([{}])
    const body = Buffer.concat([
      Buffer.from('{"model":"tiny","prompt":"'),
      Buffer.from([0xff, 0xfe, 0xc0]),
      Buffer.from('"}'),
    ])
    const reply = await fetch(`${gateway.url}/api/generate`, {method: 'POST', body})
    expect(reply.status).toBe(200)
  })
})
