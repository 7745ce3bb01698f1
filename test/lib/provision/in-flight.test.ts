import {spawnSync} from 'node:child_process'
import {type AddressInfo, connect, createServer, type Server, type Socket} from 'node:net'
import {afterEach, beforeEach, expect, test} from 'vitest'
import {requestsIn} from '../../../src/lib/provision/in-flight.ts'
import {waitFor} from '../../support/wait-for.ts'

// What the kernel says of real connections to a server, and what is made of it.

let server: Server
let clients: Socket[]
let streaming: NodeJS.Timeout[]
beforeEach(async () => {
  clients = []
  streaming = []
  server = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', (bytes) => {
      const asked = bytes.toString()
      if (asked === 'quick') socket.write('answer')
      if (asked === 'stream') streaming.push(setInterval(() => socket.write('x'), 100))
    })
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
})
afterEach(() => {
  for (const timer of streaming) clearInterval(timer)
  for (const client of clients) client.destroy()
  server.close()
})

function ask(words?: string): Socket {
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  client.on('error', () => {}).resume()
  clients.push(client)
  if (words) client.write(words)
  return client
}

const seen = () => {
  const {port} = server.address() as AddressInfo
  const words = ['-Htin', 'state', 'established', `sport = :${port}`]
  return requestsIn(spawnSync('ss', words, {encoding: 'utf8'}).stdout)
}

test('a request without an answer and a stream under way count, idle connections and looks do not', async () => {
  ask()
  const quick = ask('quick')
  await new Promise((resolve) => quick.once('data', resolve))
  expect(seen()).toBe(0)
  ask('pending')
  await waitFor('the pending one', () => seen() === 1)
  const stream = ask('stream')
  await waitFor('the stream', () => seen() === 2)
  clients[2]?.destroy()
  await waitFor('the stream alone', () => seen() === 1)
  stream.destroy()
  await waitFor('nothing', () => seen() === 0)
  // A connection that was used before is in use again.
  quick.write('pending')
  await waitFor('the second request', () => seen() === 1)
})

test('a stream that has ended is no request when it has been silent for long', () => {
  const line = (info: string) =>
    requestsIn(`0 0 127.0.0.1:1 127.0.0.1:2\n\t cubic ${info} lastack:1\n`)
  expect(line('bytes_sent:9 bytes_received:9 lastsnd:4000 lastrcv:9000')).toBe(1)
  expect(line('bytes_sent:9 bytes_received:9 lastsnd:6000 lastrcv:9000')).toBe(0)
  expect(line('bytes_sent:9 bytes_received:9 lastrcv:600')).toBe(1)
  expect(line('bytes_received:9 lastsnd:90000 lastrcv:90000')).toBe(1)
})

test('where the kernel cannot be asked, nothing is claimed', () => {
  expect(requestsIn('unknown\n')).toBeUndefined()
  expect(requestsIn('')).toBe(0)
})
