import {once} from 'node:events'
import {type AddressInfo, connect, createServer, type Socket} from 'node:net'
import {join} from 'node:path'
import fc from 'fast-check'
import {expect, test} from 'vitest'
import {type Fetched, fetchCertificate} from '../../../src/lib/ssh/connect/fetch-certificate.ts'
import {makeCertificate, publicBytes} from '../../support/certificate.ts'
import {makeKey, startSshd} from '../../support/sshd.ts'

const ED25519 = 'ssh-ed25519-cert-v01@openssh.com'

async function ask(port: number, signal = AbortSignal.timeout(20_000)): Promise<Fetched> {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  const fetched = await fetchCertificate(socket, [ED25519], signal)
  expect(socket.destroyed).toBe(true)
  return fetched
}

/** Asks a server that says just this and then ends, or goes on for ever. */
async function askAfter(said: Uint8Array | string, goesOn = false, signal?: AbortSignal) {
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    open.add(socket)
    socket.on('error', () => {})
    socket.resume().write(said)
    if (!goesOn) socket.end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    return await ask((server.address() as AddressInfo).port, signal)
  } finally {
    server.close()
    for (const socket of open) socket.destroy()
  }
}

test.each([
  'curve25519-sha256',
  'curve25519-sha256@libssh.org',
  'ecdh-sha2-nistp256',
  'ecdh-sha2-nistp384',
  'ecdh-sha2-nistp521',
  'diffie-hellman-group14-sha256',
  'diffie-hellman-group16-sha512',
])('sshd shows its certificate in a key exchange by %s', async (exchange) => {
  let file = ''
  const sshd = await startSshd({
    config: [`KexAlgorithms ${exchange}`],
    prepare: (dir) => {
      const authority = makeKey(join(dir, 'ca'))
      file = makeCertificate(join(dir, 'host_ed25519'), {authority, names: 'x'})
      return [`HostCertificate ${file}`]
    },
  })
  try {
    expect(await ask(sshd.port)).toEqual({kind: 'certificate', blob: publicBytes(file)})
  } finally {
    await sshd.stop()
  }
})

test('sshd without a certificate has none', async () => {
  const sshd = await startSshd()
  try {
    expect(await ask(sshd.port)).toEqual({kind: 'none'})
  } finally {
    await sshd.stop()
  }
})

const HELLO = 'a word before\r\nSSH-2.0-x\r\n'
const message = (type: number, ...content: number[]) =>
  Buffer.from([0, 0, 0, content.length + 6, 4, type, ...content, 0, 0, 0, 0])
const after = (...rest: Buffer[]) => Buffer.concat([Buffer.from(HELLO), ...rest])

test.each<[string, Uint8Array | string, string]>([
  ['nothing', '', 'dropped'],
  ['half a line', 'SSH-2.0', 'dropped'],
  ['HTTP', 'HTTP/1.1 400 Bad Request\r\n'.repeat(900), 'does not speak SSH'],
  ['an old version', 'SSH-1.5-x\r\n', 'old version'],
  ['its version alone', HELLO, 'hung up in the key exchange'],
  ['a packet of absurd length', after(Buffer.from([0xff, 0xff, 0xff, 0xff])), 'absurd length'],
  ['a packet of no length', after(Buffer.alloc(4)), 'packet that is none'],
  ['more padding than packet', after(Buffer.from([0, 0, 0, 2, 255, 20])), 'packet that is none'],
  ['lists beyond the packet', after(message(20, ...Array<number>(40).fill(0xff))), 'mid-field'],
  ['a message out of turn', after(message(52)), 'message 52 too early'],
  [
    'its farewell',
    after(message(1, 0, 0, 0, 2, 0, 0, 0, 3, 98, 121, 101)),
    'ended the key exchange: bye',
  ],
])('a server that says %s has no certificate for us, with the reason', async (_, said, why) => {
  const fetched = await askAfter(said)
  expect(fetched.kind === 'broken' ? fetched.why : fetched.kind).toContain(why)
})

test('a server that never stops talking is left', async () => {
  const chatter = Buffer.concat(Array<Buffer>(40_000).fill(message(2, 0, 0, 0, 0)))
  expect(await askAfter(after(chatter), true)).toMatchObject({kind: 'broken'})
  expect(await askAfter('x'.repeat(20_000), true)).toMatchObject({kind: 'broken'})
})

test('a server that says nothing more is waited for up to the deadline, whose reason is thrown', async () => {
  const abort = new AbortController()
  const waiting = askAfter(HELLO, true, abort.signal)
  setImmediate(() => abort.abort(new Error('too slow')))
  await expect(waiting).rejects.toThrow('too slow')
})

test('whatever a server says ends in an answer', async () => {
  const noise = fc.uint8Array({maxLength: 200})
  const said = fc.tuple(fc.boolean(), noise)
  await fc.assert(
    fc.asyncProperty(said, async ([speaks, bytes]) => {
      const fetched = await askAfter(speaks ? after(Buffer.from(bytes)) : bytes)
      expect(['none', 'broken', 'dropped']).toContain(fetched.kind)
    }),
    {numRuns: 100},
  )
})
