import {chmodSync, existsSync, mkdirSync, readdirSync, readFileSync} from 'node:fs'
import {connect, createServer, type Server, type Socket} from 'node:net'
import {join} from 'node:path'
import {afterAll, afterEach, beforeAll, beforeEach, expect, test} from 'vitest'
import {askHolder} from '../../../src/lib/holder/ask-holder.ts'
import {openHeld} from '../../../src/lib/holder/open-held.ts'
import {type HolderPlace, holderPlace} from '../../../src/lib/holder/place.ts'
import type {HeldNode, HolderStatus} from '../../../src/lib/holder/protocol.ts'
import {type Sshd, startSshd} from '../../support/sshd.ts'
import {type TempHome, tempHome} from '../../support/temp-home.ts'
import {waitFor} from '../../support/wait-for.ts'

const ROOT = join(import.meta.dirname, '../../..')
const version: string = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).version

let sshd: Sshd
let service: Server
let home: TempHome
let place: HolderPlace
let env: NodeJS.ProcessEnv

beforeAll(async () => {
  sshd = await startSshd()
  // Answers every line with itself, as a stand-in for what listens on a node's loopback.
  service = createServer({allowHalfOpen: true}, (socket) => {
    socket.on('error', () => {})
    socket.pipe(socket)
  })
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve))
})
afterAll(async () => {
  service?.close()
  await sshd?.stop()
})
beforeEach(() => {
  home = tempHome()
  env = {...home.env, ...sshd.env, OLLAMAX_HOME: home.env.OLLAMAX_HOME}
  place = holderPlace(join(home.dir, 'ollamax', 'run'), 'default', {env, version})
})
afterEach(async () => {
  await askHolder(place.control, {op: 'stop'}, AbortSignal.timeout(5000)).catch(() => {})
  await waitFor('the end of the holder', async () => !(await status()))
  home.dispose()
})

function node(change: Partial<HeldNode> = {}): HeldNode {
  const {port} = service.address() as {port: number}
  return {name: 'one', ssh: sshd.target, hostKey: sshd.fingerprint(), port, ...change}
}

function open(change: Partial<HeldNode> = {}, more: NodeJS.ProcessEnv = {}) {
  const command = [process.execPath, join(ROOT, 'bin/run.js'), 'holder', '--serve']
  return openHeld(node(change), {
    place,
    command: [...command, '--cluster', 'default'],
    env: {...env, ...more},
    signal: AbortSignal.timeout(20_000),
  })
}

async function status(): Promise<HolderStatus | undefined> {
  const reply = await askHolder(place.control, {op: 'status'}, AbortSignal.timeout(5000)).catch(
    () => undefined,
  )
  return reply?.kind === 'status' ? reply.status : undefined
}

async function dialled(path: string | undefined): Promise<Socket> {
  const socket = connect({path: path ?? '', allowHalfOpen: true})
  await new Promise((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', reject)
  })
  return socket
}

async function echo(path: string | undefined, text: string): Promise<string> {
  const socket = await dialled(path)
  socket.end(text)
  return Buffer.concat(await socket.toArray()).toString()
}

test('many uses, from the first on, share one holder and one login', async () => {
  const before = sshd.logins()
  const paths = await Promise.all(Array.from({length: 6}, () => open()))
  expect(new Set(paths).size).toBe(1)
  const texts = Array.from({length: 20}, (_, at) => `text ${at} `.repeat(at * 100))
  expect(await Promise.all(texts.map((text) => echo(paths[0], text)))).toEqual(texts)
  expect(sshd.logins() - before).toBe(1)
  expect((await status())?.links).toEqual([
    {node: 'one', ssh: sshd.target, connected: true, streams: 0},
  ])
  expect(readdirSync(place.dir).filter((name) => name.endsWith('.starting'))).toEqual([])
})

test('the holder keeps no secret of the command that started it', async () => {
  const secrets = ['OLLAMAX_SUDO_PASSWORD', 'OLLAMAX_SSH_PASSWORD', 'OLLAMAX_SSH_PASSPHRASE']
  await open({}, Object.fromEntries(secrets.map((name) => [name, 'geheim'])))
  const {pid} = (await status()) ?? {pid: 0}
  expect(readFileSync(`/proc/${pid}/environ`, 'latin1')).not.toContain('geheim')
})

test('a holder that hangs is done without', async () => {
  await open()
  const pid = (await status())?.pid ?? 0
  expect(pid).toBeGreaterThan(0)
  process.kill(pid, 'SIGSTOP')
  try {
    expect(await open()).toBeUndefined()
  } finally {
    process.kill(pid, 'SIGCONT')
  }
})

test('a holder that was killed is replaced by the next use', async () => {
  await open()
  const first = (await status())?.pid ?? 0
  expect(first).toBeGreaterThan(0)
  process.kill(first, 'SIGKILL')
  await waitFor('its end', async () => !(await status()))
  expect(await echo(await open(), 'again')).toBe('again')
  expect((await status())?.pid).not.toBe(first)
})

test('a connection that was cut breaks its streams, and the next use makes it anew', async () => {
  const path = await open()
  const socket = await dialled(path)
  socket.write('hello')
  await new Promise((resolve) => socket.once('data', resolve))
  const closed = new Promise((resolve) => socket.once('close', resolve))
  socket.on('error', () => {})
  socket.resume()
  socket.once('end', () => socket.end())
  await sshd.kill()
  await closed
  await expect(open()).rejects.toMatchObject({code: 'SSH_UNREACHABLE'})
  await sshd.start()
  expect(await echo(await open(), 'back')).toBe('back')
})

test('another host key in the cluster file is another link, checked anew', async () => {
  const path = await open()
  await expect(open({hostKey: 'SHA256:other'})).rejects.toMatchObject({code: 'HOST_KEY_CHANGED'})
  expect((await status())?.links).toHaveLength(1)
  await expect(echo(path, 'x')).rejects.toThrow()
})

test('the link of a removed node is closed at once', async () => {
  const path = await open()
  const drop = () => askHolder(place.control, {op: 'drop', name: 'one'}, AbortSignal.timeout(5000))
  expect(await drop()).toEqual({kind: 'dropped', held: true})
  expect((await status())?.links).toEqual([])
  await expect(echo(path, 'x')).rejects.toThrow()
  expect(await drop()).toEqual({kind: 'dropped', held: false})
  expect(await echo(await open(), 'new')).toBe('new')
})

test('what only a person could answer comes back as the error it is', async () => {
  const {hostKey: _, ...unpinned} = node()
  const command = [process.execPath, join(ROOT, 'bin/run.js'), 'holder', '--serve']
  const attempt = openHeld(unpinned, {
    place,
    command: [...command, '--cluster', 'default'],
    env,
    signal: AbortSignal.timeout(20_000),
  })
  await expect(attempt).rejects.toMatchObject({
    code: 'HOST_KEY_UNKNOWN',
    suggestions: expect.arrayContaining([expect.stringContaining(sshd.fingerprint())]),
  })
})

test('a service that is not there ends the stream, not the link', async () => {
  const path = await open({port: 1})
  expect(await echo(path, 'x').catch(() => '')).toBe('')
  expect((await status())?.links[0]?.connected).toBe(true)
})

test('an idle holder ends by itself and leaves no socket', async () => {
  await open({}, {OLLAMAX_HOLDER_IDLE: '300ms'})
  await waitFor('its end', () => !existsSync(place.control))
})

test('a holder whose home was removed ends', async () => {
  await open()
  const pid = (await status())?.pid ?? 0
  home.dispose()
  await waitFor('its end', () => !existsSync(`/proc/${pid}`))
})

test('a directory that others can write to is refused', () => {
  const run = join(home.dir, 'open')
  mkdirSync(join(run, 'holder'), {recursive: true})
  chmodSync(join(run, 'holder'), 0o777)
  expect(() => holderPlace(run, 'default', {env, version})).toThrow('yours alone')
})

test('a home with a long path has its sockets elsewhere, within the limit of the kernel', () => {
  const run = join(home.dir, 'x'.repeat(120))
  const short = holderPlace(run, 'default', {env: {...env, XDG_RUNTIME_DIR: home.dir}, version})
  expect(short.dir).toBe(join(home.dir, 'ollamax'))
  expect(holderPlace(run, 'other', {env, version}).control.length).toBeLessThan(100)
})
