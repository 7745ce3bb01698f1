import {request as sendHttp} from 'node:http'
import {connect} from 'node:net'
import {describe, expect, test} from 'vitest'
import type {TestGateway} from '../../support/gateway.ts'
import {gatewayHarness, linesOf, post} from '../../support/gateway-harness.ts'
import {waitFor} from '../../support/wait-for.ts'

const start = gatewayHarness()
const chat = {model: 'tiny', messages: [{role: 'user', content: 'hi'}]}

describe('pages in a browser', () => {
  const from = (gateway: TestGateway, headers: Record<string, string>, method = 'GET') =>
    new Promise<{status: number | undefined; headers: Record<string, unknown>}>(
      (resolve, reject) => {
        const sent = sendHttp(`${gateway.url}/api/tags`, {method, headers}, (reply) => {
          reply.resume()
          resolve({status: reply.statusCode, headers: reply.headers})
        })
        sent.on('error', reject)
        sent.end()
      },
    )

  test('of elsewhere may not use it, nor may a name that was made to point here', async () => {
    const gateway = await start([{}], {origins: ['https://chat.example.com']})
    const of = async (headers: Record<string, string>) => (await from(gateway, headers)).status
    expect(await of({origin: 'https://evil.example.com'})).toBe(403)
    expect(await of({origin: 'null'})).toBe(403)
    expect(await of({host: 'evil.example.com'})).toBe(403)
    expect(await of({origin: 'http://localhost.evil.com'})).toBe(403)
    expect(await of({origin: 'http://localhost:3000'})).toBe(200)
    expect(await of({origin: 'https://chat.example.com'})).toBe(200)
    expect(await of({host: 'localhost:1'})).toBe(200)
  })

  test('that are allowed are told so, also before the request', async () => {
    const gateway = await start([{}])
    const origin = 'http://127.0.0.1:8080'
    const {status, headers} = await from(gateway, {origin}, 'OPTIONS')
    expect(status).toBe(204)
    expect(headers['access-control-allow-origin']).toBe(origin)
    expect(headers['access-control-allow-headers']).toContain('Authorization')
  })
})

describe('on the wire', () => {
  /** Sends raw bytes and returns all that comes back until the gateway closes. */
  async function raw(gateway: TestGateway, text: string): Promise<string> {
    const socket = connect(gateway.port, '127.0.0.1')
    let got = ''
    socket.on('data', (chunk) => {
      got += chunk.toString('latin1')
    })
    socket.on('error', () => {})
    socket.write(text)
    await new Promise((closed) => socket.once('close', closed))
    return got
  }

  test.each([
    'POST /api/chat HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'POST /api/chat HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcde',
    'POST /api/chat HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: x\r\nBad Header: 1\r\n\r\n',
    'GET / HTTP/1.1\r\nHost : x\r\n\r\n',
    'GET / HTTP/9.9\r\n\r\n',
    '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
  ])('%j is refused and closed', async (text) => {
    const gateway = await start([{}])
    expect(await raw(gateway, text)).toMatch(/^HTTP\/1\.1 4\d\d /)
    expect(gateway.nodes[0]?.requests.some(({path}) => path === '/api/chat')).toBe(false)
  })

  const get = (target: string, host: string) =>
    `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`

  test.each([
    'http://127.0.0.1:11435/api/tags?x=1',
    'HTTP://LOCALHOST/api/tags',
    'https://[::1]:1/api/tags',
  ])('a whole URL as the target, %s, is its path, and its authority the Host', async (target) => {
    const gateway = await start([{}])
    // RFC 9112, 3.2.2: the Host that was sent is ignored then.
    const got = await raw(gateway, get(target, 'evil.example.com'))
    expect(got).toMatch(/^HTTP\/1\.1 200 /)
    expect(got).toContain('"tiny:latest"')
  })

  test('a whole URL with nothing behind the authority is the root, and inference goes to a node by its path', async () => {
    const gateway = await start([{}])
    expect(await raw(gateway, get('http://localhost', 'x'))).toContain('Ollama is running')
    const body = JSON.stringify({...chat, stream: false})
    const head = `Host: x\r\nConnection: close\r\nContent-Length: ${body.length}`
    const got = await raw(
      gateway,
      `POST http://localhost/api/chat HTTP/1.1\r\n${head}\r\n\r\n${body}`,
    )
    expect(got).toContain('"done":true')
    expect(gateway.nodes[0]?.requests.at(-1)).toMatchObject({path: '/api/chat'})
  })

  test('a whole URL of a foreign host is refused as a foreign Host is', async () => {
    const gateway = await start([{}])
    const got = await raw(gateway, get('http://evil.example.com/api/tags', 'localhost'))
    expect(got).toMatch(/^HTTP\/1\.1 403 /)
  })

  test.each(['http:///api/tags', 'http://127.0.0.1@evil.example.com/', 'http://a@localhost/'])(
    'a whole URL whose authority is none, %s, is refused',
    async (target) => {
      const gateway = await start([{}])
      expect(await raw(gateway, get(target, 'localhost'))).toMatch(/^HTTP\/1\.1 400 /)
    },
  )

  test('a flood of headers is refused', async () => {
    const gateway = await start([{}])
    const many = 'A: b\r\n'.repeat(6000)
    expect(await raw(gateway, `GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n${many}\r\n`)).toMatch(
      /^HTTP\/1\.1 431 /,
    )
  })

  test('a head that never ends is not waited for', async () => {
    const gateway = await start([{}], {limits: {headersTimeoutMs: 200}})
    expect(await raw(gateway, 'GET / HTTP/1.1\r\nHost: x\r\n')).toMatch(/^HTTP\/1\.1 408 /)
  })
})

describe('shutting down', () => {
  test('takes nothing new and lets running answers end', async () => {
    const gateway = await start([{decodeTokensPerS: 40, answerTokens: 20}])
    const reply = await post(gateway, '/api/chat', chat)
    const drained = gateway.drain(10_000)
    await expect(fetch(`${gateway.url}/`)).rejects.toThrow()
    expect(linesOf(await reply.text()).at(-1)).toMatchObject({done: true})
    await drained
  })

  const SLOW = {decodeTokensPerS: 5, answerTokens: 1000}
  const ollama = (text: string) => linesOf(text).at(-1).error
  const sse = (text: string) => JSON.parse(/data: (.*)\n\n$/.exec(text)?.[1] ?? '{}').error.message
  const {messages} = chat
  test.each([
    ['/api/chat', {messages}, ollama],
    ['/api/generate', {prompt: 'hi'}, ollama],
    ['/v1/chat/completions', {messages}, sse],
    ['/v1/completions', {prompt: 'hi'}, sse],
    ['/v1/responses', {input: 'hi'}, sse],
    ['/v1/messages', {messages, max_tokens: 99}, sse],
  ] as const)(
    'a stream of %s that is cut at the deadline ends in an error',
    async (path, body, error) => {
      const gateway = await start([SLOW])
      const reply = await post(gateway, path, {model: 'tiny', stream: true, ...body})
      const drained = gateway.drain(100)
      expect(error(await reply.text())).toContain('the gateway was shut down')
      await drained
      expect(gateway.ended[0]).toMatchObject({outcome: 'failed'})
      // No fault of the node's.
      expect(gateway.failures).toEqual([])
      await waitFor('the node to be free', () => gateway.nodes[0]?.cancelled === 1)
    },
  )

  test('what has not begun at the deadline is told to come back, whether it waits or runs', async () => {
    const gateway = await start([SLOW], {slots: 1})
    const whole = post(gateway, '/api/chat', {...chat, stream: false})
    await waitFor('the first to run', () =>
      gateway.nodes[0]?.requests.some(({path}) => path === '/api/chat'),
    )
    const waiting = post(gateway, '/v1/chat/completions', chat)
    const told = post(gateway, '/api/chat', chat, {headers: {'x-ollamax-queue-status': 'true'}})
    const lines = (await told).text()
    await waitFor('all to be there', () => gateway.hub.size === 3)
    const drained = gateway.drain(100)
    for (const reply of [await whole, await waiting]) {
      expect(reply.status).toBe(503)
      expect(reply.headers.get('retry-after')).toBe('2')
      expect(await reply.text()).toContain('the gateway is shutting down')
    }
    expect(ollama(await lines)).toContain('the gateway is shutting down')
    await drained
  })

  test('a pull that is cut at the deadline ends in an error line', async () => {
    const gateway = await start([{pullable: ['fresh'], pullMs: 60_000}])
    const reply = await post(gateway, '/api/pull', {model: 'fresh'})
    const drained = gateway.drain(100)
    expect(ollama(await reply.text())).toContain('the gateway was shut down')
    await drained
    expect(gateway.ended[0]).toMatchObject({outcome: 'failed'})
  })

  test('a client that sends its body still, or takes nothing of its answer, holds up nobody', async () => {
    const gateway = await start([{answerTokens: 200_000}])
    const sender = connect(gateway.port, '127.0.0.1')
    sender.on('error', () => {})
    sender.write('POST /api/chat HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{')
    const reader = connect(gateway.port, '127.0.0.1')
    reader.on('error', () => {}).pause()
    const body = JSON.stringify(chat)
    reader.write(
      `POST /api/chat HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    )
    await waitFor('the answer to be stuck', () =>
      gateway.nodes[0]?.requests.some(({path}) => path === '/api/chat'),
    )
    const beganMs = performance.now()
    await gateway.drain(100)
    expect(performance.now() - beganMs).toBeLessThan(5000)
    sender.destroy()
    reader.destroy()
  })
})
