import {existsSync, readdirSync, readFileSync, statSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {afterEach, beforeEach, expect, test} from 'vitest'
import {Keyring} from '../../src/lib/auth/keyring.ts'
import type {ShownKey} from '../../src/lib/jobs/change-keys.ts'
import {loadKeys} from '../../src/lib/state/keys-file.ts'
import {pathsFor} from '../../src/lib/state/paths.ts'
import {ollamaSigner} from '../support/ollama-signer.ts'
import {runCli} from '../support/run-cli.ts'
import {type TempHome, tempHome} from '../support/temp-home.ts'

let home: TempHome
let clusters: string
beforeEach(() => {
  home = tempHome()
  clusters = join(home.dir, 'ollamax/clusters')
})
afterEach(() => home.dispose())

const cli = (...args: string[]) => runCli(args, {env: home.env})
const json = async (...args: string[]) => JSON.parse((await cli(...args, '--json')).stdout)
const keyring = async (cluster = 'default') =>
  new Keyring(await loadKeys(pathsFor(home.env), cluster))
const knows = async (token: string, cluster?: string) => {
  const result = (await keyring(cluster)).identify({kind: 'token', token}, Date.now())
  return result.kind === 'key' ? result.key.name : result.reason
}
const everyFile = (directory: string): string =>
  readdirSync(directory, {withFileTypes: true, recursive: true})
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
    .join('\n')

test('create writes the token alone to stdout, this once: no file of ours holds it', async () => {
  const {code, stdout, stderr} = await cli('key', 'create', 'alice')
  expect({code, stdout}).toEqual({code: 0, stdout: expect.stringMatching(/^ollamax_[\w-]{43}\n$/)})
  const token = stdout.trim()
  expect(stderr).toContain('alice')
  expect(stderr).not.toContain(token)
  expect(await knows(token)).toBe('alice')
  expect(everyFile(home.dir)).not.toContain(token.slice(8))
  expect((await cli('key', 'list')).stdout).not.toContain(token)
  expect(statSync(join(clusters, 'default.keys.json')).mode & 0o777).toBe(0o600)
})

test('what a key is limited to is kept, listed and said with --json', async () => {
  const {key, token} = await json(
    'key',
    'create',
    'ci',
    ...['--expires', '30d', '--model', 'llama3.2', '--model', 'qwen3:*', '--rate', '1000/h'],
    ...['--priority', 'low', '--weight', '3', '--continue', '--admin'],
  )
  expect(key).toMatchObject({
    name: 'ci',
    kind: 'token',
    fingerprint: null,
    expired: false,
    models: ['llama3.2', 'qwen3:*'],
    priority: 'low',
    weight: 3,
    continue: true,
    admin: true,
  })
  expect(Date.parse(key.expiresAt) - Date.parse(key.createdAt)).toBe(30 * 86_400_000)
  expect(await knows(token)).toBe('ci')
  await cli('key', 'create', 'alice')
  const {cluster, keys} = (await json('key', 'list')) as {cluster: string; keys: ShownKey[]}
  expect(cluster).toBe('default')
  expect(keys.map(({name}) => name)).toEqual(['alice', 'ci'])
  expect(keys[1]).toEqual(key)
  const lines = (await cli('key', 'list')).stdout.trimEnd().split('\n')
  const [{id = '', createdAt = ''} = {}] = keys
  expect(lines[0]).toBe(
    ['alice', id, 'token', createdAt, '-', '-', '-', 'normal', '1', 'no', 'no', '-'].join('\t'),
  )
  expect(lines[1]?.split('\t').slice(4)).toEqual([
    key.expiresAt,
    'llama3.2,qwen3:*',
    '1000/h',
    'low',
    '3',
    'yes',
    'yes',
    '-',
  ])
})

test('an ssh key is enrolled from a file or stdin, has no token, and signs', async () => {
  const signer = ollamaSigner()
  const line = `ssh-ed25519 ${signer.publicKey} bob@laptop\n`
  const file = join(home.dir, 'bob.pub')
  writeFileSync(file, line)
  const {stdout, stderr} = await cli('key', 'create', 'bob', '--ssh-key', file)
  expect(stdout).toMatch(/^enrolled bob \([0-9a-f]{12}\): SHA256:[\w+/]{43}\n$/)
  expect(stderr).toContain('OLLAMA_AUTH=1')
  const again = await cli('key', 'create', 'bob2', '--ssh-key', file)
  expect(again.code).toBe(5)
  expect(again.stderr).toContain('in the cluster as "bob"')
  const other = ollamaSigner()
  const piped = await runCli(['key', 'create', 'eve', '--ssh-key', '-', '--json'], {
    env: home.env,
    stdin: `ssh-ed25519 ${other.publicKey}\n`,
  })
  expect(JSON.parse(piped.stdout)).toMatchObject({token: null, key: {name: 'eve', kind: 'ssh'}})
  const ts = Math.floor(Date.now() / 1000)
  const header = other.authorize('GET', '/api/tags', ts)
  const credential = {kind: 'signature', signed: `GET,/api/tags?ts=${ts}`, ts, header} as const
  expect((await keyring()).identify(credential, Date.now())).toMatchObject({key: {name: 'eve'}})
})

test('revoke ends a key by name or id, and asks before', async () => {
  const token = (await cli('key', 'create', 'alice')).stdout.trim()
  const refused = await cli('key', 'revoke', 'alice')
  expect({code: refused.code, stderr: refused.stderr}).toEqual({
    code: 2,
    stderr: expect.stringContaining('--yes'),
  })
  expect(await knows(token)).toBe('alice')
  expect((await cli('key', 'revoke', 'alice', '--yes')).stdout).toMatch(/^revoked alice \(/)
  expect(await knows(token)).toBe('unknown')
  const {key} = await json('key', 'create', 'alice')
  expect(await json('key', 'revoke', key.id, '--yes')).toEqual({key})
  expect((await cli('key', 'list')).stderr).toContain('No keys yet')
  expect(await json('key', 'list')).toEqual({cluster: 'default', keys: []})
})

test.each([
  [['create', '../x'], 2, 'bad name of a key'],
  [['create', ''], 2, 'bad name of a key'],
  [['create', 'taken'], 5, 'there is a key "taken" already'],
  [['create', 'x', '--expires', '30'], 2, 'say the unit'],
  [['create', 'x', '--expires', '0'], 2, 'cannot expire then'],
  [['create', 'x', '--expires', '100000000d'], 2, 'cannot expire then'],
  [['create', 'x', '--rate', '60'], 2, 'is not a rate'],
  [['create', 'x', '--rate', '0/m'], 2, 'is not a rate'],
  [['create', 'x', '--model', 'a b'], 2, 'is no name or glob of models'],
  [['create', 'x', '--priority', 'top'], 2, 'priority'],
  [['create', 'x', '--weight', '0'], 2, 'weight'],
  [['create', 'x', '--ssh-key', '/nowhere.pub'], 2, 'no such file'],
  [['create', 'x', '--ssh-key', '/dev/zero'], 2, 'has more than 16384 bytes'],
  [['create', 'x', '--ssh-key', '-'], 2, 'holds no key'],
  [['create', 'x', '--ssh-key', '/etc/passwd'], 2, 'as an ssh key'],
  [['create', 'x', '--cluster', 'nowhere'], 3, 'there is no cluster "nowhere"'],
  [['list', '--cluster', 'nowhere'], 3, 'there is no cluster "nowhere"'],
  [['revoke', 'taker', '--yes'], 3, 'did you mean "taken"?'],
  [['revoke', 'x', '--cluster', 'nowhere', '--yes'], 3, 'there is no cluster "nowhere"'],
])('key %j exits %d, says why, and changes nothing', async (args, code, why) => {
  await cli('key', 'create', 'taken')
  const before = readFileSync(join(clusters, 'default.keys.json'), 'utf8')
  const result = await cli('key', ...args)
  expect({code: result.code, stdout: result.stdout}).toEqual({code, stdout: ''})
  expect(result.stderr).toContain(why)
  expect(readFileSync(join(clusters, 'default.keys.json'), 'utf8')).toBe(before)
})

test('a private key given by mistake is refused, and nothing of it is said or kept', async () => {
  const file = join(home.dir, 'id')
  const body = 'b3BlbnNzaC1rZXktdjEAAAAABG5vbmU'
  writeFileSync(file, `-----BEGIN OPENSSH PRIVATE KEY-----\n${body}\n-----END`)
  const {code, stdout, stderr} = await cli('key', 'create', 'x', '--ssh-key', file)
  expect(code).toBe(2)
  expect(stderr).toContain('is a private key')
  expect(stdout + stderr).not.toContain(body)
  expect(existsSync(clusters)).toBe(false)
})

test('a broken file of keys is named, and is never taken for no keys', async () => {
  await cli('key', 'create', 'alice')
  const file = join(clusters, 'default.keys.json')
  writeFileSync(file, '{"format": 1, "keys": [')
  for (const args of [['list'], ['create', 'bob'], ['revoke', 'alice', '--yes']]) {
    const {code, stdout, stderr} = await cli('key', ...args)
    expect({args, code, stdout}).toEqual({args, code: 2, stdout: ''})
    expect(stderr).toContain(file)
  }
  expect(readFileSync(file, 'utf8')).toBe('{"format": 1, "keys": [')
})

test('keys follow their cluster when it is renamed, and no other cluster gets them', async () => {
  await cli('cluster', 'create', 'lab', '--use')
  const token = (await cli('key', 'create', 'alice')).stdout.trim()
  await cli('cluster', 'create', 'other')
  expect(await knows(token, 'other')).toBe('unknown')
  expect((await cli('cluster', 'rename', 'lab', 'office')).code).toBe(0)
  expect(await knows(token, 'office')).toBe('alice')
  expect(await knows(token, 'lab')).toBe('unknown')
  expect(readdirSync(clusters).sort()).toEqual(['office.keys.json', 'office.yaml', 'other.yaml'])
  // One without keys gets none by its new name, whatever lay there.
  writeFileSync(join(clusters, 'new.keys.json'), readFileSync(join(clusters, 'office.keys.json')))
  await cli('cluster', 'rename', 'other', 'new')
  expect(await knows(token, 'new')).toBe('unknown')
})

test('keys end with their cluster: one that is made or imported by its name later has none', async () => {
  await cli('cluster', 'create', 'lab', '--use')
  const token = (await cli('key', 'create', 'alice')).stdout.trim()
  await cli('cluster', 'remove', 'lab', '--yes')
  expect(readdirSync(clusters)).toEqual([])
  // Also where somebody removed the cluster's file by hand.
  await cli('cluster', 'create', 'lab', '--use')
  await cli('key', 'create', 'bob')
  const left = readFileSync(join(clusters, 'lab.keys.json'))
  for (const name of ['made', 'taken']) writeFileSync(join(clusters, `${name}.keys.json`), left)
  const stdin = readFileSync(join(clusters, 'lab.yaml'))
  await cli('cluster', 'create', 'made')
  await runCli(['cluster', 'import', '-', '--name', 'taken'], {env: home.env, stdin})
  expect(readdirSync(clusters).sort()).toEqual([
    'lab.keys.json',
    'lab.yaml',
    'made.yaml',
    'taken.yaml',
  ])
  expect(await knows(token, 'lab')).toBe('unknown')
})

test('an export holds no key, and an import over a cluster leaves its keys', async () => {
  await cli('cluster', 'create', 'lab', '--use')
  const {key, token} = await json('key', 'create', 'alice')
  const {stdout} = await cli('cluster', 'export')
  for (const secret of [token, token.slice(8), key.id, 'alice'])
    expect(stdout).not.toContain(secret)
  const file = join(home.dir, 'lab.yaml')
  writeFileSync(file, stdout)
  expect((await cli('cluster', 'import', file, '--yes')).code).toBe(0)
  expect(await knows(token, 'lab')).toBe('alice')
  expect((await json('config', 'path')).keys).toBe(join(clusters, 'lab.keys.json'))
})
