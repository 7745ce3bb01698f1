import {writeFileSync} from 'node:fs'
import {createServer, type Server, type Socket} from 'node:net'
import {join} from 'node:path'
import {afterAll, beforeAll, expect, test} from 'vitest'
import {type Connection, type DialOptions, dial} from '../../../src/lib/ssh/dial.ts'
import {resolveTarget} from '../../../src/lib/ssh/target.ts'
import {startFakeSsh} from '../../support/fake-ssh.ts'
import {freePort, type Sshd, startSshd} from '../../support/sshd.ts'

let sshd: Sshd
beforeAll(async () => {
  sshd = await startSshd()
})
afterAll(() => sshd?.stop())

async function reach(name: string, lines: string[], options: Partial<DialOptions> = {}) {
  const file = join(sshd.dir, `config-${Math.random()}`)
  const own = [`IdentityFile ${sshd.key}`, 'IdentityAgent none', 'UserKnownHostsFile /dev/null']
  writeFileSync(file, [...lines, 'Host *', ...own, 'GlobalKnownHostsFile /dev/null', ''].join('\n'))
  const env = {PATH: process.env.PATH, OLLAMAX_SSH_CONFIG: file}
  const target = await resolveTarget(name, {
    env,
    ...(options.signal ? {signal: options.signal} : {}),
  })
  return dial(target, {accept: true, ...options, env})
}

async function listen(work: (socket: Socket) => void): Promise<{server: Server; port: number}> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    work(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {server, port: (server.address() as {port: number}).port}
}

test('a name that does not resolve is SSH_NO_HOST', async () => {
  await expect(reach('no-such-host.invalid', [])).rejects.toMatchObject({
    code: 'SSH_NO_HOST',
    message: expect.stringContaining('no-such-host.invalid'),
  })
})

test('a port that refuses says so', async () => {
  await expect(reach(`127.0.0.1:${await freePort()}`, [])).rejects.toMatchObject({
    code: 'SSH_UNREACHABLE',
    message: expect.stringContaining('refused'),
  })
})

test('a server that never speaks is given up after ConnectTimeout', async () => {
  const {server, port} = await listen(() => {})
  await expect(reach(`127.0.0.1:${port}`, ['ConnectTimeout 1'])).rejects.toMatchObject({
    code: 'SSH_UNREACHABLE',
    message: expect.stringContaining('in time'),
  })
  server.close()
})

test('a server that hangs up at once is tried a few times, and then said not to speak SSH', async () => {
  let tries = 0
  const {server, port} = await listen((socket) => {
    tries++
    socket.end()
  })
  await expect(reach(`127.0.0.1:${port}`, [])).rejects.toMatchObject({
    code: 'SSH_UNREACHABLE',
    message: expect.stringContaining('without a word of SSH'),
  })
  expect(tries).toBeGreaterThan(1)
  server.close()
})

test('a server of another kind is said not to speak SSH', async () => {
  const {server, port} = await listen((socket) => {
    socket.end(`HTTP/1.1 400 Bad Request\r\n\r\n${'x\r\n'.repeat(3000)}`)
  })
  await expect(reach(`127.0.0.1:${port}`, ['ConnectTimeout 3'])).rejects.toMatchObject({
    code: 'SSH_UNREACHABLE',
  })
  server.close()
})

test('an abort ends the dial with its reason', async () => {
  const {server, port} = await listen(() => {})
  const abort = new AbortController()
  const attempt = reach(`127.0.0.1:${port}`, [], {signal: abort.signal})
  setImmediate(() => abort.abort(new Error('changed my mind')))
  await expect(attempt).rejects.toThrow('changed my mind')
  server.close()
})

test('no way to agree on a cipher is a failed handshake, with its cause', async () => {
  const odd = await startSshd({config: ['Ciphers 3des-cbc']})
  await expect(reach(odd.target, [`IdentityFile ${odd.key}`])).rejects.toMatchObject({
    code: 'SSH_UNREACHABLE',
    message: expect.stringContaining('cipher'),
  })
  await odd.stop()
})

async function works(remote: Connection): Promise<void> {
  expect((await remote.exec('echo there')).stdout).toBe('there\n')
  await remote.close()
}

test('ProxyJump leads over several machines, each checked and logged in to', async () => {
  const [first, second] = await Promise.all([startSshd(), startSshd()])
  const hop = (name: string, {port, key}: Sshd, more: string[] = []) => [
    `Host ${name}`,
    'HostName 127.0.0.1',
    `Port ${port}`,
    `IdentityFile ${key}`,
    ...more,
  ]
  const lines = [
    ...hop('inner', sshd, ['ProxyJump middle']),
    ...hop('middle', second, ['ProxyJump outer']),
    ...hop('outer', first),
    ...hop('listed', sshd, ['ProxyJump outer,middle']),
  ]
  await works(await reach('inner', lines))
  await works(await reach('listed', lines))
  expect([first.logins(), second.logins()]).toEqual([2, 2])
  // The fingerprint that was given is the last machine's; the ones before must be known or asked for.
  await expect(reach('inner', lines, {accept: sshd.fingerprint()})).rejects.toMatchObject({
    code: 'HOST_KEY_UNKNOWN',
    message: expect.stringContaining('outer'),
  })
  await second.kill()
  await expect(reach('inner', lines)).rejects.toMatchObject({code: 'NODE_UNREACHABLE'})
  await Promise.all([first.stop(), second.stop()])
})

test('a password that was given is for the last machine, and never shown to one on the way', async () => {
  const way = await startFakeSsh({password: 'for the last one'})
  const lines = [
    'Host last',
    'HostName 127.0.0.1',
    'ProxyJump way',
    'Host way',
    'HostName 127.0.0.1',
  ]
  const secrets = {password: 'for the last one'}
  const reached = reach('last', [...lines, `Port ${way.port}`], {secrets})
  await expect(reached).rejects.toMatchObject({code: 'SSH_DENIED'})
  expect(way.attempts).not.toContain('password')
  await way.close()
})

test('a circle of jumps is an error, not an endless way', async () => {
  const lines = ['Host a', 'ProxyJump b', 'Host b', 'ProxyJump a']
  await expect(reach('a', lines)).rejects.toMatchObject({code: 'BAD_INPUT'})
})

test('ProxyCommand makes the connection, with its tokens filled in', async () => {
  const command = `${process.execPath} -e "const s=require('net').connect(%p,'%h');process.stdin.pipe(s).pipe(process.stdout)"`
  await works(
    await reach('by-command', [
      'Host by-command',
      'HostName 127.0.0.1',
      `Port ${sshd.port}`,
      `ProxyCommand ${command}`,
    ]),
  )
})

test('a ProxyCommand that fails is an unreachable machine', async () => {
  const lines = ['Host x', 'ProxyCommand /bin/false']
  await expect(reach('x', lines)).rejects.toMatchObject({code: 'SSH_UNREACHABLE'})
})
