import {once} from 'node:events'
import {connect, type Socket} from 'node:net'
import {afterEach, describe, expect, test} from 'vitest'
import type {ClientRequest} from '../../../src/lib/gateway/listener/client-request.ts'
import type {ClientResponse} from '../../../src/lib/gateway/listener/client-response.ts'
import {type Listener, openListener} from '../../../src/lib/gateway/listener/listener.ts'
import {waitFor} from '../../support/wait-for.ts'

type Serve = (request: ClientRequest, response: ClientResponse) => void

const open: Listener[] = []
const sockets: Socket[] = []
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy()
  for (const one of open.splice(0)) one.destroy()
})

async function listen(
  onRequest: Serve,
  more: {headersTimeoutMs?: number; keepAliveMs?: number} = {},
) {
  const limits = {maxHeadBytes: 32_768, maxHeaders: 100, maxConnections: 100}
  const times = {headersTimeoutMs: 5000, keepAliveMs: 5000, ...more}
  const one = await openListener({host: '127.0.0.1', port: 0, ...limits, ...times, onRequest})
  open.push(one)
  return one
}

/** A client that writes what it is told and keeps what it hears. */
async function client({port}: Listener) {
  const socket = connect(port, '127.0.0.1')
  sockets.push(socket)
  await once(socket, 'connect')
  const heard = {text: '', closed: false}
  socket.on('data', (chunk) => {
    heard.text += chunk.toString('latin1')
  })
  socket.on('error', () => {})
  socket.on('close', () => {
    heard.closed = true
  })
  const answers = () => heard.text.match(/HTTP\/1\.1 \d+/g)?.length ?? 0
  return {socket, heard, answers, say: (text: string) => socket.write(text, 'latin1')}
}

const get = (path: string, headers = '') => `GET ${path} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`
const post = (body: string, headers = '') =>
  `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n${headers}\r\n${body}`

/** Answers with what the body was. */
const echo: Serve = (request, response) => {
  let body = ''
  request.take({
    data: (bytes) => {
      body += bytes.toString('latin1')
    },
    end: () => response.end(`${request.url} ${body}`),
    gone: () => {},
  })
}

describe('one connection', () => {
  test('answers requests that were sent at once one by one, in their order', async () => {
    const waiting: ClientResponse[] = []
    const server = await listen((_, response) => waiting.push(response))
    const {say, heard, answers} = await client(server)
    say(get('/a') + get('/b') + get('/c'))
    for (const at of [1, 2, 3]) {
      await waitFor('the request', () => waiting.length === at)
      waiting[at - 1]?.end(`answer ${at}`)
      await waitFor('the answer', () => answers() === at)
    }
    expect(heard.text.match(/answer \d/g)).toEqual(['answer 1', 'answer 2', 'answer 3'])
  })

  test('goes on after a body that nobody wanted', async () => {
    const server = await listen((request, response) =>
      request.url === '/' && request.length > 3 ? response.end('no') : echo(request, response),
    )
    const {say, heard, answers} = await client(server)
    say('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n')
    await waitFor('the refusal', () => answers() === 1)
    say('x'.repeat(200_000) + post('abc'))
    await waitFor('the next answer', () => heard.text.endsWith('/ abc'))
  })

  test('is told to send its body only when somebody takes it', async () => {
    const server = await listen((request, response) =>
      request.url === '/no' ? response.end('no') : echo(request, response),
    )
    const {say, heard} = await client(server)
    say('POST /yes HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n')
    await waitFor('the word', () => heard.text === 'HTTP/1.1 100 Continue\r\n\r\n')
    say('ok')
    await waitFor('the answer', () => heard.text.endsWith('/yes ok'))
    const other = await client(server)
    other.say('POST /no HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n')
    await waitFor('the refusal', () => other.heard.text.endsWith('no'))
    expect(other.heard.text).not.toContain('100')
  })

  test('that is refused reads why, though it goes on to send', async () => {
    const server = await listen((_, response) => {
      response.closes = true
      response.end('too much')
    })
    const {say, heard, socket} = await client(server)
    say('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n')
    for (let i = 0; i < 20; i++) say('x'.repeat(100_000))
    await waitFor('the refusal', () => heard.text.endsWith('too much'))
    socket.end()
    await waitFor('the end', () => heard.closed)
  })

  test('without a request, or with half of one, does not stay for ever', async () => {
    const server = await listen(echo, {headersTimeoutMs: 50, keepAliveMs: 50})
    const [silent, half, idle] = [await client(server), await client(server), await client(server)]
    half.say('GET / HT')
    idle.say(get('/'))
    await waitFor('their end', () => [silent, half, idle].every(({heard}) => heard.closed))
    expect(half.heard.text).toMatch(/^HTTP\/1\.1 408 /)
    expect(idle.heard.text).toMatch(/^HTTP\/1\.1 200 /)
    expect(idle.answers()).toBe(1)
  })
})

describe('an answer', () => {
  test('of unknown length goes out in chunks, and to HTTP/1.0 up to the end of the connection', async () => {
    const server = await listen((_, response) => {
      response.writeHead(200, ['X-A', 'b'])
      response.write('one')
      response.write(Buffer.from('two'))
      response.end()
    })
    const now = await client(server)
    now.say(get('/'))
    await waitFor('the end', () => now.heard.text.endsWith('0\r\n\r\n'))
    expect(now.heard.text).toContain('\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n')
    const old = await client(server)
    old.say('GET / HTTP/1.0\r\n\r\n')
    await waitFor('the end', () => old.heard.closed)
    expect(old.heard.text).toMatch(/Connection: close\r\n\r\nonetwo$/)
  })

  test('to HEAD has the head alone', async () => {
    const server = await listen((_, response) => {
      response.writeHead(200, ['Content-Length', '5'])
      response.end('hello')
    })
    const {say, heard, answers} = await client(server)
    say('HEAD / HTTP/1.1\r\nHost: x\r\n\r\nHEAD / HTTP/1.1\r\nHost: x\r\n\r\n')
    await waitFor('both', () => answers() === 2)
    expect(heard.text).not.toContain('hello')
  })

  test('cannot be split by what stands in a header', async () => {
    const server = await listen((_, response) => {
      response.writeHead(200, ['X-Model', 'a\r\nX-Evil: 1\r\n\r\n\u2028', 'Content-Length', '0'])
      response.end()
    })
    const {say, heard, answers} = await client(server)
    say(get('/'))
    await waitFor('it', () => answers() === 1)
    expect(heard.text).toContain('X-Model: a??X-Evil: 1?????\r\n')
  })

  test('that its reader does not take holds the writer back, and comes whole when it does', async () => {
    const pieces = 400
    const piece = Buffer.alloc(50_000, 'x')
    let written = 0
    const server = await listen((_, response) => {
      response.writeHead(200, [])
      const more = () => {
        while (written < pieces) {
          written++
          if (response.write(piece)) continue
          response.once('drain', more)
          return
        }
        response.end()
      }
      more()
    })
    const {say, heard, socket} = await client(server)
    socket.pause()
    say(get('/'))
    await waitFor('the writer to be held', () => written > 0)
    const held = written
    await new Promise((resolve) => setImmediate(resolve))
    expect(held).toBeLessThan(pieces)
    expect(written).toBe(held)
    socket.resume()
    await waitFor('the end', () => heard.text.endsWith('0\r\n\r\n'))
    expect(heard.text.length).toBeGreaterThan(pieces * piece.length)
  })

  test('ends for its writer when the client leaves, in the midst of the body or of the answer', async () => {
    const events: string[] = []
    const server = await listen((request, response) => {
      request.take({data() {}, end: () => events.push('end'), gone: () => events.push('gone')})
      response.once('close', () => events.push(`close ${response.destroyed}`))
    })
    const half = await client(server)
    half.say('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab')
    await waitFor('the head', () => half.socket.bytesWritten > 0)
    half.socket.end()
    await waitFor('the end', () => events.length === 2)
    expect(events.splice(0)).toEqual(['gone', 'close true'])
    const whole = await client(server)
    whole.say(post('ab'))
    await waitFor('the body', () => events.length === 1)
    whole.socket.resetAndDestroy()
    await waitFor('the end', () => events.length === 2)
    expect(events).toEqual(['end', 'close true'])
  })
})

test('a drain ends idle connections at once and others after their answer', async () => {
  const waiting: ClientResponse[] = []
  const server = await listen((request, response) =>
    request.url === '/slow' ? waiting.push(response) : response.end('ok'),
  )
  const [idle, slow] = [await client(server), await client(server)]
  idle.say(get('/'))
  slow.say(get('/slow'))
  await waitFor('both', () => idle.answers() === 1 && waiting.length === 1)
  const drained = server.drain()
  await waitFor('the idle one', () => idle.heard.closed)
  expect(slow.heard.closed).toBe(false)
  const [last] = waiting
  if (last) last.closes = true
  last?.end('at last')
  await drained
  await waitFor('its end', () => slow.heard.closed)
  expect(slow.heard.text).toMatch(/Connection: close\r\n\r\nat last$/)
})
