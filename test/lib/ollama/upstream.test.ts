import {once} from 'node:events'
import {createServer, type Server, type Socket} from 'node:net'
import {afterEach, describe, expect, test} from 'vitest'
import {
  openUpstream,
  type Upstream,
  type UpstreamControl,
} from '../../../src/lib/ollama/upstream.ts'
import {waitFor} from '../../support/wait-for.ts'

const servers: Server[] = []
const upstreams: Upstream[] = []
afterEach(async () => {
  await Promise.all(upstreams.splice(0).map((it) => it.close()))
  for (const server of servers.splice(0)) server.close()
})

/** A node that is played byte by byte; `connections` are those that came so far. */
async function node() {
  const connections: {socket: Socket; got: string}[] = []
  const server = createServer((socket) => {
    const one = {socket, got: ''}
    connections.push(one)
    socket.on('data', (chunk) => {
      one.got += chunk.toString('latin1')
    })
    socket.on('error', () => {})
  }).listen(0, '127.0.0.1')
  servers.push(server)
  await once(server, 'listening')
  const {port} = server.address() as {port: number}
  const endpoint = {
    kind: 'url',
    url: `http://127.0.0.1:${port}/base/`,
    headers: {'X-Own': '1'},
  } as const
  const upstream = openUpstream(endpoint)
  upstreams.push(upstream)
  return {connections, upstream}
}

/** Sends a request and keeps what becomes of it. */
function ask(upstream: Upstream, {method = 'POST', body = '{}' as string | null} = {}) {
  const seen = {
    status: 0,
    headers: [] as readonly string[],
    body: '',
    end: '',
    taken: undefined as boolean | undefined,
    error: undefined as unknown,
  }
  let control: UpstreamControl | undefined
  const request = {
    method,
    path: '/api/chat?a=b',
    headers: ['X-A', 'b'],
    body: body === null ? null : Buffer.from(body),
  }
  upstream.send(request, {
    started: (given) => {
      control = given
    },
    head: (status, headers) => Object.assign(seen, {status, headers}),
    data: (chunk) => {
      seen.body += chunk.toString('latin1')
    },
    end: (taken) => {
      seen.end += 'end'
      seen.taken = taken
    },
    fail: (error) => {
      seen.end += 'fail'
      seen.error = error
    },
  })
  return {seen, control: () => control}
}

const ok = (text: string) => `HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`
const requestsIn = ({got}: {got: string}) => got.match(/HTTP\/1\.1\r\n/g)?.length ?? 0

describe('connections to a plain node', () => {
  test('carry a request as it should be, and are used again', async () => {
    const {connections, upstream} = await node()
    for (const at of [1, 2]) {
      const {seen} = ask(upstream)
      await waitFor('it', () => connections[0] !== undefined && requestsIn(connections[0]) === at)
      connections[0]?.socket.write(ok(`answer ${at}`))
      await waitFor('the answer', () => seen.end === 'end')
      expect(seen).toMatchObject({status: 200, body: `answer ${at}`})
    }
    expect(connections).toHaveLength(1)
    const {socket, got} = connections[0] ?? {}
    const host = `127.0.0.1:${socket?.localPort}`
    const one = `POST /base/api/chat?a=b HTTP/1.1\r\nHost: ${host}\r\nX-Own: 1\r\nX-A: b\r\nContent-Length: 2\r\n\r\n{}`
    expect(got).toBe(one + one)
  })

  test('are as many as there are requests at once', async () => {
    const {connections, upstream} = await node()
    const all = [ask(upstream), ask(upstream), ask(upstream)]
    await waitFor('all', () => connections.filter((it) => requestsIn(it) === 1).length === 3)
    for (const {socket} of connections) socket.write(ok('x'))
    await waitFor('all', () => all.every(({seen}) => seen.end === 'end'))
  })

  test('that said more than the answer are not used again: it could pass for the next answer', async () => {
    const {connections, upstream} = await node()
    const first = ask(upstream)
    await waitFor('it', () => connections.length === 1)
    connections[0]?.socket.write(ok('mine') + ok('forged'))
    await waitFor('the answer', () => first.seen.end === 'end')
    const second = ask(upstream)
    await waitFor('another connection', () => connections.length === 2)
    connections[1]?.socket.write(ok('true'))
    await waitFor('the answer', () => second.seen.end === 'end')
    expect([first.seen.body, second.seen.body]).toEqual(['mine', 'true'])
  })

  test('that spoke while they were idle are not used again either', async () => {
    const {connections, upstream} = await node()
    const first = ask(upstream)
    await waitFor('it', () => connections.length === 1)
    connections[0]?.socket.write(ok('mine'))
    await waitFor('the answer', () => first.seen.end === 'end')
    const closed = once(connections[0]?.socket as Socket, 'close')
    connections[0]?.socket.write(ok('forged'))
    await closed
  })

  test('say whether all of the request was taken: one that was answered early may still be written', async () => {
    const {connections, upstream} = await node()
    const small = ask(upstream)
    await waitFor('it', () => connections.length === 1)
    connections[0]?.socket.write(ok('x'))
    await waitFor('the answer', () => small.seen.end === 'end')
    expect(small.seen.taken).toBe(true)
    connections[0]?.socket.pause()
    const large = ask(upstream, {body: 'x'.repeat(20_000_000)})
    connections[0]?.socket.write(ok('x'))
    await waitFor('the answer', () => large.seen.end === 'end')
    expect(large.seen.taken).toBe(false)
  })

  test('close when their request is given up, which is told nothing more', async () => {
    const {connections, upstream} = await node()
    const {seen, control} = ask(upstream)
    await waitFor('it', () => connections.length === 1)
    connections[0]?.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc')
    await waitFor('the first bytes', () => seen.body === 'abc')
    const closed = once(connections[0]?.socket as Socket, 'close')
    control()?.abort()
    await closed
    expect(seen.end).toBe('')
  })

  test('are not touched by one who held them before', async () => {
    const {connections, upstream} = await node()
    const first = ask(upstream)
    await waitFor('it', () => connections.length === 1)
    connections[0]?.socket.write(ok('one'))
    await waitFor('the answer', () => first.seen.end === 'end')
    const second = ask(upstream)
    first.control()?.abort()
    first.control()?.pause()
    await waitFor('it', () => requestsIn(connections[0] ?? {got: ''}) === 2)
    connections[0]?.socket.write(ok('two'))
    await waitFor('the answer', () => second.seen.end === 'end')
  })
})

describe('a request fails, with how far it had come', () => {
  test.each([
    ['', 'headers'],
    ['HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc', 'body'],
    ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n', 'body'],
    ['SSH-2.0-OpenSSH_9.2\r\n', 'headers'],
  ])('when the node says %j and closes', async (said, phase) => {
    const {connections, upstream} = await node()
    const {seen} = ask(upstream)
    await waitFor('it', () => connections.length === 1)
    connections[0]?.socket.end(said, 'latin1')
    await waitFor('the failure', () => seen.end === 'fail')
    expect(seen.error).toMatchObject({code: 'NODE_UNREACHABLE', details: {phase}})
  })

  test('when nobody listens', async () => {
    const upstream = openUpstream({kind: 'url', url: 'http://127.0.0.1:1', headers: {}})
    upstreams.push(upstream)
    const {seen} = ask(upstream)
    await waitFor('the failure', () => seen.end === 'fail')
    expect(seen.error).toMatchObject({
      code: 'NODE_UNREACHABLE',
      details: {phase: 'connect', reason: 'refused'},
    })
  })

  test('when the upstream is closed; a retired one lets what runs end', async () => {
    const {connections, upstream} = await node()
    const {seen} = ask(upstream)
    await waitFor('it', () => connections.length === 1)
    let retired = false
    const done = upstream.retire().then(() => {
      retired = true
    })
    const late = ask(upstream)
    await waitFor('the refusal', () => late.seen.end === 'fail')
    expect(retired).toBe(false)
    connections[0]?.socket.write(ok('x'))
    await done
    expect(seen.end).toBe('end')
  })
})

test('an answer without a length is whole at the end of the connection', async () => {
  const {connections, upstream} = await node()
  const {seen} = ask(upstream, {method: 'GET', body: null})
  await waitFor('it', () => connections.length === 1)
  connections[0]?.socket.end('HTTP/1.1 200 OK\r\n\r\nall of it')
  await waitFor('the end', () => seen.end !== '')
  expect(seen).toMatchObject({end: 'end', body: 'all of it'})
  expect(connections[0]?.got).not.toContain('Content-Length')
})

test('who does not take an answer holds the node back', async () => {
  const {connections, upstream} = await node()
  const {seen, control} = ask(upstream)
  await waitFor('it', () => connections.length === 1)
  const {socket} = connections[0] as {socket: Socket}
  const size = 50_000_000
  socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`)
  await waitFor('the head', () => seen.status === 200)
  control()?.pause()
  socket.write(Buffer.alloc(size, 'x'))
  await new Promise((resolve) => setImmediate(resolve))
  await waitFor('the node to be held', () => socket.writableLength > 0)
  const held = seen.body.length
  await new Promise((resolve) => setImmediate(resolve))
  expect(seen.body.length).toBe(held)
  expect(held).toBeLessThan(1_000_000)
  control()?.resume()
  await waitFor('all of it', () => seen.end === 'end')
  expect(seen.body.length).toBe(size)
})
