import {createHash, randomBytes} from 'node:crypto'
import {readFileSync, statSync, writeFileSync} from 'node:fs'
import {createServer} from 'node:net'
import {join} from 'node:path'
import {PassThrough, Readable} from 'node:stream'
import {afterAll, beforeAll, expect, test} from 'vitest'
import {openShell, type Terminal} from '../../../src/lib/ssh/channels/shell.ts'
import {connectHop} from '../../../src/lib/ssh/connect/hop.ts'
import {wireOver} from '../../../src/lib/ssh/connect/wire.ts'
import {type Connection, type DialOptions, dial} from '../../../src/lib/ssh/dial.ts'
import {resolveTarget} from '../../../src/lib/ssh/target.ts'
import {type Sshd, startSshd} from '../../support/sshd.ts'

let sshd: Sshd
let remote: Connection

beforeAll(async () => {
  sshd = await startSshd()
  remote = await open(sshd, {acceptAll: true})
})
afterAll(async () => {
  await remote?.close()
  await sshd?.stop()
})

async function open(
  server: Sshd,
  options: Partial<DialOptions> & {acceptAll?: boolean} = {},
): Promise<Connection> {
  const target = await resolveTarget(server.target, {env: server.env})
  return dial(target, {env: server.env, ...(options.acceptAll ? {accept: true} : {}), ...options})
}

test('a script runs with its arguments, its input, its exit code and both outputs', async () => {
  const script = 'printf "%s|" "$@"; cat; echo oops >&2; exit 7'
  const result = await remote.exec(script, {args: ['a b', "it's", '$HOME'], stdin: 'in\n'})
  expect(result).toEqual({code: 7, stdout: "a b|it's|$HOME|in\n", stderr: 'oops\n'})
})

test('a file arrives whole, with its mode, over the old one', async () => {
  const path = join(sshd.dir, 'put me')
  const data = randomBytes(3_000_001)
  writeFileSync(path, 'old')
  let sent = 0
  await remote.put(Readable.from([data.subarray(0, 100), data.subarray(100)]), path, {
    mode: 0o750,
    onBytes: (bytes) => {
      sent = bytes
    },
  })
  const hash = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
  expect(hash(readFileSync(path))).toBe(hash(data))
  expect(statSync(path).mode & 0o777).toBe(0o750)
  expect(sent).toBe(data.length)
})

test('a stream leads to a port of the other machine', async () => {
  const echo = createServer((socket) => socket.pipe(socket))
  await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve))
  const {port} = echo.address() as {port: number}
  const stream = await remote.forward(port)
  stream.end('hello')
  const chunks = await stream.toArray()
  expect(Buffer.concat(chunks).toString()).toBe('hello')
  echo.close()
})

test('a shell without a terminal is plain pipes, with its exit code', async () => {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()]
  stdin.end('echo "got $(cat)"; exit 9\nthis')
  const target = await resolveTarget(sshd.target, {env: sshd.env})
  const {client, stream} = await connectHop(target, {env: sshd.env})
  const wire = wireOver(client, 'it', {stream})
  const terminal = {stdin, stdout, stderr, term: 'xterm'} as unknown as Terminal
  expect(await openShell(wire, terminal)).toBe(9)
  stdout.end()
  expect(Buffer.concat(await stdout.toArray()).toString()).toContain('got this')
  await wire.close()
})
