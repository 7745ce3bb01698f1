import {createHash, randomBytes} from 'node:crypto'
import {createServer, type Server, type Socket} from 'node:net'
import {afterAll, beforeAll, expect, test} from 'vitest'
import {type Connection, dial} from '../../../src/lib/ssh/dial.ts'
import {resolveTarget} from '../../../src/lib/ssh/target.ts'
import {type Sshd, type SshdOptions, startSshd} from '../../support/sshd.ts'
import {waitFor} from '../../support/wait-for.ts'

let sshd: Sshd
let remote: Connection
const servers: Server[] = []

beforeAll(async () => {
  sshd = await startSshd()
  remote = await open(sshd)
})
afterAll(async () => {
  for (const server of servers) server.close()
  await remote?.close()
  await sshd?.stop()
})

async function open(server: Sshd): Promise<Connection> {
  const target = await resolveTarget(server.target, {env: server.env})
  return dial(target, {env: server.env, accept: true})
}

/** A service on loopback; returns its port. */
async function serve(work: (socket: Socket) => void): Promise<number> {
  const server = createServer({allowHalfOpen: true}, (socket) => {
    socket.on('error', () => {})
    work(socket)
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as {port: number}).port
}

const digest = (data: Buffer) => createHash('sha256').update(data).digest('hex')

test('many streams at once each carry their own bytes, in order, both ways', async () => {
  const port = await serve((socket) => socket.pipe(socket))
  await Promise.all(
    Array.from({length: 24}, async (_, at) => {
      const data = randomBytes(150_000 + at)
      const stream = await remote.forward(port)
      stream.end(data)
      expect(digest(Buffer.concat(await stream.toArray()))).toBe(digest(data))
    }),
  )
})

test('a reader that stops makes the writer over there stop too, and nothing is lost', async () => {
  const total = 40_000_000
  let written = 0
  const port = await serve((socket) => {
    const chunk = Buffer.alloc(64 * 1024, 'x')
    const more = () => {
      while (written < total) {
        written += chunk.length
        if (!socket.write(chunk)) {
          socket.once('drain', more)
          return
        }
      }
      socket.end()
    }
    more()
  })
  const stream = await remote.forward(port)
  stream.once('readable', () => {})
  let before = -1
  await waitFor(
    'the writer to stop',
    async () => {
      const still = written > 0 && written === before
      before = written
      return still
    },
    {everyMs: 200},
  )
  expect(written).toBeLessThan(total)
  let read = 0
  for await (const chunk of stream) read += (chunk as Buffer).length
  expect(read).toBe(written)
})

test('a slow reader over there holds our writer back', async () => {
  let there: Socket | undefined
  const port = await serve((socket) => {
    there = socket
    socket.pause()
  })
  const stream = await remote.forward(port)
  stream.on('error', () => {})
  let sent = 0
  while (stream.write(Buffer.alloc(1_000_000)) && sent < 100) sent++
  expect(sent).toBeLessThan(100)
  const drained = new Promise((resolve) => stream.once('drain', resolve))
  there?.resume()
  await drained
  stream.destroy()
})

test('a destroyed stream closes the connection over there', async () => {
  let closed = false
  const port = await serve((socket) => {
    socket.write('tick')
    socket.on('close', () => {
      closed = true
    })
    socket.on('end', () => socket.end())
    socket.resume()
  })
  const stream = await remote.forward(port)
  await new Promise((resolve) => stream.once('data', resolve))
  stream.destroy()
  await waitFor('its end over there', () => closed)
})

test('an aborted wait for a stream leaves the connection usable', async () => {
  const port = await serve((socket) => socket.end('hi'))
  const abort = AbortSignal.abort(new Error('not any more'))
  await expect(remote.forward(port, {signal: abort})).rejects.toThrow('not any more')
  const stream = await remote.forward(port)
  expect(Buffer.concat(await stream.toArray()).toString()).toBe('hi')
})

test('a port that nobody listens on is told from forwarding that is forbidden', async () => {
  await expect(remote.forward(1)).rejects.toMatchObject({code: 'NODE_UNREACHABLE'})
  const options: SshdOptions = {config: ['AllowTcpForwarding no']}
  const strict = await startSshd(options)
  const own = await open(strict)
  await expect(own.forward(1)).rejects.toMatchObject({
    code: 'SSH_CHANNEL',
    suggestions: expect.arrayContaining([expect.stringContaining('AllowTcpForwarding')]),
  })
  await own.close()
  await strict.stop()
})

test('when the connection is cut, every stream fails: none ends as if all had come', async () => {
  const server = await startSshd()
  const own = await open(server)
  const port = await serve((socket) => socket.write('half an ans'))
  const streams = await Promise.all([own.forward(port), own.forward(port)])
  await Promise.all(streams.map((stream) => new Promise((resolve) => stream.once('data', resolve))))
  const ends = streams.map(
    (stream) =>
      new Promise((resolve) => {
        stream.once('end', () => resolve('end'))
        stream.once('error', resolve)
      }),
  )
  await server.kill()
  for (const end of ends) expect(await end).toMatchObject({code: 'SSH_LOST'})
  expect(own.lost.aborted).toBe(true)
  await server.stop()
})

test('closing the connection closes its streams with an error', async () => {
  const own = await open(sshd)
  const port = await serve((socket) => socket.write('x'))
  const stream = await own.forward(port)
  const failed = new Promise((resolve) => stream.once('error', resolve))
  await own.close()
  expect(await failed).toMatchObject({code: 'SSH_LOST'})
})
