import {execFileSync, spawnSync} from 'node:child_process'
import {mkdtempSync, readFileSync, rmSync, statSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import fc from 'fast-check'
import {afterAll, beforeAll, expect, test} from 'vitest'
import {
  addKnownHost,
  coversHost,
  fingerprintOf,
  parseKnownHosts,
  recordName,
} from '../../../src/lib/ssh/connect/known-hosts.ts'
import {makeKey} from '../../support/sshd.ts'

let dir: string
let file: string
let key: string
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'ox-known-'))
  file = join(dir, 'known_hosts')
  key = readFileSync(`${makeKey(join(dir, 'k'))}.pub`, 'utf8')
    .split(' ')
    .slice(0, 2)
    .join(' ')
})
afterAll(() => rmSync(dir, {recursive: true, force: true}))

const LINES = [
  'plain.example.com',
  'one,two,10.0.0.1',
  '*.wild.com,!not.wild.com',
  'h?st',
  '[ported]:2222',
  '[*.net]:22??',
  '@revoked bad.example.com',
  '@cert-authority *.ca.com',
  'UPPER.example.com',
]

/** Line numbers that `ssh-keygen -F` finds for a name. */
function theirs(name: string): number[] {
  const {stdout} = spawnSync('ssh-keygen', ['-F', name, '-f', file], {encoding: 'utf8'})
  return [...stdout.matchAll(/found: line (\d+)/g)].map((match) => Number(match[1]))
}

function ours(name: string): number[] {
  return parseKnownHosts(readFileSync(file, 'utf8'), file)
    .filter((record) => coversHost(record, name.toLowerCase()))
    .map((record) => record.line)
}

const NAMES = [
  'plain.example.com',
  'two',
  '10.0.0.1',
  'a.wild.com',
  'not.wild.com',
  'host',
  'hoost',
  '[ported]:2222',
  'ported',
  '[a.net]:2201',
  '[a.net]:2301',
  'bad.example.com',
  'x.ca.com',
  'upper.example.com',
  'nobody',
]

test.each(NAMES)('%s is found on the lines where OpenSSH finds it', (name) => {
  writeFileSync(file, `# head\n\n${LINES.map((line) => `${line} ${key} a comment\n`).join('')}`)
  expect(ours(name)).toEqual(theirs(name))
})

test.each(['one', '[ported]:2222', 'plain.example.com', 'nobody'])(
  'a hashed file gives the same answer for %s',
  (name) => {
    writeFileSync(file, `one,two ${key}\nplain.example.com ${key}\n[ported]:2222 ${key}\n`)
    execFileSync('ssh-keygen', ['-H', '-f', file], {stdio: 'ignore'})
    expect(readFileSync(file, 'utf8')).not.toContain('plain')
    expect(ours(name)).toEqual(theirs(name))
  },
)

test('lines that make no sense are passed over', () => {
  const nonsense = fc.string({unit: 'binary', maxLength: 60})
  fc.assert(
    fc.property(fc.array(nonsense), (lines) => {
      const text = [...lines, `good ${key}`].join('\n')
      const found = parseKnownHosts(text, 'f').filter((record) => record.hosts === 'good')
      expect(found).toHaveLength(1)
    }),
  )
  expect(parseKnownHosts(`h ssh-rsa ${key.split(' ')[1]}\nh ssh-ed25519 AAAA\n`, 'f')).toEqual([])
})

test.each([
  [false, 22, 'new.host'],
  [false, 2022, '[new.host]:2022'],
  [true, 22, 'new.host'],
])(
  'an entry of ours (hashed: %s) is found by OpenSSH, whatever the file ended with',
  async (hashed, port, name) => {
    const own = join(dir, 'deep', `er-${hashed}-${port}`, 'known_hosts')
    const blob = Buffer.from(key.split(' ')[1] ?? '', 'base64')
    await addKnownHost(own, {name: 'first', key: blob, hashed})
    writeFileSync(own, readFileSync(own, 'utf8').trimEnd())
    await addKnownHost(own, {name: recordName('New.Host', port), key: blob, hashed})
    const {stdout} = spawnSync('ssh-keygen', ['-F', name, '-f', own], {encoding: 'utf8'})
    expect(stdout).toContain(key)
    expect(readFileSync(own, 'utf8').trimEnd().split('\n')).toHaveLength(2)
    expect(statSync(own).mode & 0o777).toBe(0o600)
  },
)

test('many entries written at once are all there', async () => {
  const own = join(dir, 'many')
  const blob = Buffer.from(key.split(' ')[1] ?? '', 'base64')
  const names = Array.from({length: 40}, (_, at) => `host-${at}`)
  await Promise.all(names.map((name) => addKnownHost(own, {name, key: blob, hashed: false})))
  const found = parseKnownHosts(readFileSync(own, 'utf8'), own)
  expect(found.map((record) => record.hosts).sort()).toEqual(names.sort())
})

test('a fingerprint is the one that OpenSSH prints', () => {
  const blob = Buffer.from(key.split(' ')[1] ?? '', 'base64')
  const printed = execFileSync('ssh-keygen', ['-lf', join(dir, 'k.pub')], {encoding: 'utf8'})
  expect(fingerprintOf(blob)).toBe(printed.split(' ')[1])
})
