import {once} from 'node:events'
import {connect, createServer, type Server, type Socket} from 'node:net'
import type {Duplex} from 'node:stream'
import {afterEach, beforeEach, expect, test} from 'vitest'
import type {SshNode} from '../../../src/lib/cluster/node.ts'
import {type Dialer, makeDialer} from '../../../src/lib/jobs/dial-nodes.ts'
import {type FakeOllama, startFakeOllama} from '../../support/fake-ollama.ts'
import {type Sshd, startSshd} from '../../support/sshd.ts'
import {waitFor} from '../../support/wait-for.ts'

let sshd: Sshd
let ollama: FakeOllama
let way: Server
let dialer: Dialer
/** Both halves of each connection on the way to the SSH server. */
let pairs: (readonly [Socket, Socket])[]
/** What connects now gets no answer at all. */
let deaf: boolean

beforeEach(async () => {
  pairs = []
  deaf = false
  sshd = await startSshd()
  ollama = await startFakeOllama()
  way = createServer((near) => {
    const far = connect(sshd.port, '127.0.0.1')
    const pair = [near, far] as const
    pairs.push(pair)
    if (deaf) return
    for (const [one, other] of [pair, [far, near] as const]) {
      one.on('error', () => {}).pipe(other)
      one.once('close', () => {
        other.destroy()
        pairs = pairs.filter((kept) => kept !== pair)
      })
    }
  }).listen(0, '127.0.0.1')
  await once(way, 'listening')
  dialer = makeDialer({env: sshd.env, signal: new AbortController().signal, silentMs: 1500})
})
afterEach(async () => {
  await dialer.close()
  for (const [near] of pairs) near.destroy()
  way.close()
  await ollama.close()
  await sshd.stop()
})

function node(): SshNode {
  const {port} = way.address() as {port: number}
  return {
    kind: 'ssh',
    name: 'n1',
    ssh: `${sshd.user}@127.0.0.1:${port}`,
    hostKey: sshd.fingerprint(),
    labels: {},
    drained: false,
    ollama: {port: ollama.port},
  }
}

/** Nothing of what stands now gets through any more, and nobody is told: as when a cable is pulled. */
function silence(): () => void {
  const now = [...pairs]
  for (const [near, far] of now) for (const one of [near, far]) one.unpipe().pause()
  return () => {
    for (const [near, far] of now) {
      near.pipe(far)
      far.pipe(near)
    }
  }
}

async function version(stream: Duplex): Promise<string> {
  stream.write('GET /api/version HTTP/1.1\r\nHost: localhost\r\n\r\n')
  const [head] = (await once(stream, 'data')) as [Buffer]
  return head.toString()
}

const within = (ms: number) => AbortSignal.timeout(ms)

test('a stream for which the connection stays silent comes over a new one, and what runs over the old one goes on', async () => {
  const running = await dialer.stream(node(), within(10_000))
  expect(pairs).toHaveLength(1)
  const speak = silence()
  const again = await dialer.stream(node(), within(10_000))
  expect(pairs).toHaveLength(2)
  expect(await version(again)).toContain('200 OK')
  again.destroy()
  speak()
  expect(await version(running)).toContain('200 OK')
  running.destroy()
  // Nothing uses it any more.
  await waitFor('the old one to be closed', () => pairs.length === 1)
  expect(dialer.stands(node())).toBe(true)
})

test('closing does not wait for a machine that has gone silent', async () => {
  const stream = await dialer.stream(node(), within(10_000))
  silence()
  stream.destroy()
  const beganMs = performance.now()
  await dialer.close()
  expect(performance.now() - beganMs).toBeLessThan(6000)
})

test('many streams that wait for a silent connection share one new one', async () => {
  const first = await dialer.stream(node(), within(10_000))
  silence()
  const all = await Promise.all(
    Array.from({length: 5}, () => dialer.stream(node(), within(10_000))),
  )
  expect(pairs).toHaveLength(2)
  for (const stream of [first, ...all]) stream.destroy()
})

test('a connection that was only slow is used as soon as it answers', async () => {
  const first = await dialer.stream(node(), within(10_000))
  const speak = silence()
  deaf = true
  const waiting = dialer.stream(node(), within(10_000))
  await waitFor('the new dial', () => pairs.length === 2)
  speak()
  const stream = await waiting
  expect(await version(stream)).toContain('200 OK')
  for (const one of [first, stream]) one.destroy()
})

test('a connection that somebody else has in hand is not closed for being silent', async () => {
  const connection = await dialer.dial(node())
  const speak = silence()
  const stream = await dialer.stream(node(), within(10_000))
  stream.destroy()
  speak()
  expect((await connection.exec('echo here', {})).stdout).toBe('here\n')
})
