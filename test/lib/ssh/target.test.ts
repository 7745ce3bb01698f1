import {execFileSync} from 'node:child_process'
import {mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs'
import {homedir, tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterAll, beforeAll, expect, test} from 'vitest'
import {readSettings} from '../../../src/lib/ssh/ssh-config.ts'
import {parseDestination, parseListing, resolveTarget} from '../../../src/lib/ssh/target.ts'

let dir: string
let file: string
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'ox-config-'))
  file = join(dir, 'config')
  mkdirSync(join(dir, 'more'))
  writeFileSync(join(dir, 'more', '2.conf'), 'Host *.late\n  User late2\n  Port 2222\n')
  writeFileSync(join(dir, 'more', '1.conf'), 'Host x.late\n  User late1\n')
  writeFileSync(join(dir, 'inside'), 'ConnectTimeout 7\nHost other\n  User nobody\n')
  writeFileSync(
    file,
    `# a comment
Include ${dir}/more/*.conf
Host gpu gpu-? !gpu-9
  HostName %h.example.com
  User ai
  IdentityFile ~/.ssh/gpu_key
  IdentityFile "~/.ssh/second key"
  Include ${dir}/inside
Host "quoted name"
  Port 23
host=equals
  hostname = 10.0.0.1
Match originalhost gpu user ai
  Port 2200
Match host *.example.com
  ServerAliveInterval 9
Match !user root host 10.*
  ConnectTimeout 3
Host jump
  ProxyJump a@b:24,c
  UserKnownHostsFile /tmp/k1 /tmp/k2
  StrictHostKeyChecking accept-new
Host *
  User fallback
  Port 99
`,
  )
})
afterAll(() => rmSync(dir, {recursive: true, force: true}))

const KEYS = [
  'hostname',
  'user',
  'port',
  'identityfile',
  'connecttimeout',
  'serveraliveinterval',
  'proxyjump',
]

test.each([
  'gpu',
  'gpu-1',
  'gpu-9',
  'equals',
  'x.late',
  'y.late',
  'jump',
  'other',
  'plain',
  'root@equals',
  'ai@gpu:5',
])('our reading of a configuration is the same as OpenSSH’s for %s', async (name) => {
  const to = parseDestination(name)
  const args = ['-G', '-F', file]
  if (to.user) args.push('-l', to.user)
  if (to.port) args.push('-p', String(to.port))
  const theirs = parseListing(
    execFileSync('ssh', [...args, to.host], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }),
  )
  const ours = await readSettings(to, {env: {}, file})
  const pick = (from: ReadonlyMap<string, readonly string[]>) =>
    KEYS.map((key) => {
      const values = from.get(key)
      // What is not set has no line in ours; OpenSSH lists its defaults.
      const unset = values === undefined || /^(none|0)$/.test(values.join())
      const files = key === 'identityfile' && /id_rsa/.test(values?.join() ?? '')
      return [key, unset || files ? 'unset' : values]
    })
  expect(pick(ours)).toEqual(pick(theirs))
})

test('what ssh_config says is found in the target', async () => {
  const env = {PATH: process.env.PATH, OLLAMAX_SSH_CONFIG: file}
  expect(await resolveTarget('jump', {env})).toMatchObject({
    host: 'jump',
    user: 'fallback',
    port: 99,
    strictHostKeyChecking: 'accept-new',
    userKnownHosts: ['/tmp/k1', '/tmp/k2'],
    jumps: [
      {user: 'a', host: 'b', port: 24},
      {user: 'fallback', host: 'c', port: 99},
    ],
  })
  expect(await resolveTarget('gpu', {env})).toMatchObject({
    alias: 'gpu',
    host: 'gpu.example.com',
    user: 'ai',
    port: 2200,
    identityFiles: [join(homedir(), '.ssh/gpu_key'), join(homedir(), '.ssh/second key')],
    identitiesExplicit: true,
    aliveIntervalMs: 9000,
    connectTimeoutMs: 7000,
  })
})

test('without ssh on the machine, the configuration is read all the same', async () => {
  const env = {PATH: '/nonexistent', OLLAMAX_SSH_CONFIG: file}
  expect(await resolveTarget('gpu', {env})).toMatchObject({host: 'gpu.example.com', port: 2200})
})

test('a configuration that ssh refuses is an error with its words', async () => {
  const broken = join(dir, 'broken')
  writeFileSync(broken, 'Host x\n  Nonsense yes\n')
  const env = {PATH: process.env.PATH, OLLAMAX_SSH_CONFIG: broken}
  await expect(resolveTarget('x', {env})).rejects.toMatchObject({
    code: 'BAD_INPUT',
    message: expect.stringContaining('onsense'),
  })
})

test.each([
  ['host', {host: 'host'}],
  ['user@host', {user: 'user', host: 'host'}],
  ['user@host:2222', {user: 'user', host: 'host', port: 2222}],
  ['ssh://user@host:2222/', {user: 'user', host: 'host', port: 2222}],
  ['[::1]', {host: '::1'}],
  ['me@[fe80::1%eth0]:22', {user: 'me', host: 'fe80::1%eth0', port: 22}],
  ['fe80::1', {host: 'fe80::1'}],
  ['a@b@host', {user: 'a@b', host: 'host'}],
])('%s is understood', (text, parts) => {
  expect(parseDestination(text)).toEqual(parts)
})

test.each([
  '',
  '@host',
  'user@',
  '-oProxyCommand=x',
  'user@-oProxyCommand=x',
  '-x@host',
  'host:0',
  'host:65536',
  'host:x',
  'a b',
  'host;id',
  'host$(id)',
  'host`id`',
  "ho'st",
  'us"er@host',
  'host\n',
])('%j is refused before any program sees it', (text) => {
  expect(() => parseDestination(text)).toThrowError(expect.objectContaining({code: 'BAD_INPUT'}))
})
