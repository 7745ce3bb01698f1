import {execFileSync} from 'node:child_process'
import {chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import fc from 'fast-check'
import {afterEach, expect, test} from 'vitest'
import {FACTS_SCRIPT} from '../../../src/lib/provision/facts-script.ts'
import {readEnvironment, readFacts} from '../../../src/lib/provision/read-facts.ts'

const dirs: string[] = []
afterEach(() => {
  for (const dir of dirs.splice(0)) rmSync(dir, {recursive: true, force: true})
})

/** A directory of programs that go before those of the machine. */
function programs(scripts: Readonly<Record<string, string>>): string {
  const dir = mkdtempSync(join(tmpdir(), 'ox-facts-'))
  dirs.push(dir)
  for (const [name, body] of Object.entries(scripts)) {
    writeFileSync(join(dir, name), `#!/bin/sh\n${body}\n`)
    chmodSync(join(dir, name), 0o755)
  }
  return dir
}

function look(bin: string, home: string, args: readonly string[] = ['', '', '']) {
  const startMs = Date.now()
  const out = execFileSync('sh', ['-c', FACTS_SCRIPT, 'sh', ...args], {
    env: {PATH: `${bin}:${process.env.PATH}`, HOME: home},
    encoding: 'utf8',
  })
  return readFacts(out, {startMs, endMs: Date.now()})
}

test('the script tells of this machine what can be checked otherwise', () => {
  const bin = programs({})
  const facts = look(bin, bin)
  expect(facts).toMatchObject({
    os: process.platform === 'darwin' ? 'darwin' : 'linux',
    arch: process.arch === 'x64' ? 'amd64' : process.arch,
    uid: process.getuid?.(),
    home: bin,
    port: 11434,
  })
  expect(facts?.clock).not.toBe('unknown')
  if (facts && facts.clock !== 'unknown')
    expect(Math.abs(facts.clock.skewMs)).toBeLessThanOrEqual(facts.clock.accuracyMs + 1)
})

test('GPUs come with their memory and driver; a driver that lost its card is no GPU of zero bytes', () => {
  const two = programs({
    'nvidia-smi': "echo 'NVIDIA H200, 143771, 570.1'; echo 'NVIDIA L4, [N/A], 570.1'",
  })
  expect(look(two, two)?.gpus).toEqual([
    {vendor: 'nvidia', name: 'NVIDIA H200', vramBytes: 143771 * 2 ** 20, driver: '570.1'},
    {vendor: 'nvidia', name: 'NVIDIA L4', vramBytes: 'unknown', driver: '570.1'},
  ])
  const lost = programs({'nvidia-smi': "echo 'NVIDIA-SMI has failed'; exit 9"})
  expect(look(lost, lost)?.gpus).toEqual([])
})

test.each([
  ['password', "echo 'sudo: a password is required' >&2; exit 1"],
  ['denied', "echo 'Sorry, user joe may not run sudo on h1.' >&2; exit 1"],
  ['requiretty', "echo 'sudo: sorry, you must have a tty to run sudo' >&2; exit 1"],
  ['passwordless', 'exit 0'],
  ['unknown', "echo 'sudo: unable to open /etc/sudoers' >&2; exit 1"],
])('sudo: %s', (sudo, body) => {
  const bin = programs({sudo: body, id: 'case $1 in -un) echo joe ;; *) echo 1002 ;; esac'})
  expect(look(bin, bin)?.sudo).toBe(sudo)
})

test('an installation of ours is found with its trees, its files to the last byte and its record', () => {
  const home = programs({})
  const root = join(home, '.local/share/ollamax/ollama')
  mkdirSync(join(root, '0.33.0'), {recursive: true})
  mkdirSync(join(root, '.ollamax'))
  mkdirSync(join(home, '.config/systemd/user'), {recursive: true})
  writeFileSync(join(root, '0.33.0/.ollamax-sha256'), 'abc\n')
  writeFileSync(join(root, '0.33.0/.ollamax-version'), '0.33.0\n')
  writeFileSync(join(root, '.ollamax/manifest'), 'unit=created\nunit=later\n')
  writeFileSync(join(root, '.ollamax/pending'), '')
  const text = '# Written\n\\ "x"\n\n'
  writeFileSync(join(home, '.config/systemd/user/ollama.service'), text)
  symlinkSync('0.33.0', join(root, 'current'))
  expect(look(home, home)?.own).toMatchObject({
    unitText: text,
    current: '0.33.0',
    trees: [{name: '0.33.0', sha256: 'abc', version: '0.33.0'}],
    manifest: {unit: 'created'},
    pending: true,
  })
})

test('an archive counts as staged only under its final name', () => {
  const home = programs({})
  mkdirSync(join(home, '.cache/ollamax'), {recursive: true})
  writeFileSync(join(home, '.cache/ollamax/ollama-abc.part'), '12345')
  expect(look(home, home, ['', 'ollama-abc', ''])?.staged).toBeUndefined()
  writeFileSync(join(home, '.cache/ollamax/ollama-abc'), '12345')
  expect(look(home, home, ['', 'ollama-abc', ''])?.staged).toBe(5)
})

test('output that is not whole is no answer, and noise around it is passed over', () => {
  const when = {startMs: 0, endMs: 10}
  expect(readFacts('os=Linux\nmachine=x86_64\n', when)).toBeUndefined()
  expect(readFacts('', when)).toBeUndefined()
  const facts = readFacts('Welcome!\r\nos=Linux\r\nmachine=aarch64\r\n== 5 ==\r\nend=1\r\n', when)
  expect(facts).toMatchObject({
    arch: 'arm64',
    sudo: 'unknown',
    gpus: 'unknown',
    memoryBytes: 'unknown',
    libc: 'unknown',
    clock: 'unknown',
  })
})

test('any text at all is read without an error', () => {
  const line = fc.oneof(
    fc.string(),
    fc
      .tuple(
        fc.constantFrom('os', 'end', 'uid', 'place', 'listener', 'system.unit', 'nvidia', 'clock'),
        fc.string({unit: 'binary'}),
      )
      .map(([key, value]) => `${key}=${value}`),
  )
  fc.assert(
    fc.property(fc.array(line), (lines) => {
      readFacts(`os=Linux\n${lines.join('\n')}\nend=1\n`, {startMs: 0, endMs: 1})
    }),
  )
})

test.each([
  ['0100007F 998', {address: '127.0.0.1', user: '998'}],
  ['00000000 ollama', {address: '0.0.0.0', user: 'ollama'}],
  ['00000000000000000000000001000000 root', {address: '::1', user: 'root'}],
  ['00000000000000000000000000000000 root', {address: '::', user: 'root'}],
  ['0000000000000000FFFF00000100007F root', {address: '127.0.0.1', user: 'root'}],
])('who listens is read from %s', (row, listener) => {
  expect(readFacts(`os=Linux\nlistener=${row}\nend=1`, {startMs: 0, endMs: 1})?.listener).toEqual(
    listener,
  )
})

test.each([
  ['ollama version is 0.33.0', '0.33.0'],
  [
    'Warning: could not connect to a running Ollama instance\nWarning: client version is 0.32.15',
    '0.32.15',
  ],
  ['ollama version is 0.33.0\nWarning: client version is 0.32.1', '0.32.1'],
  ['not found', 'unknown'],
])('the version in %j is %s', (text, version) => {
  const line = `version=${text.replaceAll('\n', '\\n')}`
  const facts = readFacts(`os=Linux\n${line}\nend=1`, {startMs: 0, endMs: 1})
  expect(facts?.ollama.version).toBe(version)
})

test('an environment as systemctl prints it keeps spaces and quotes', () => {
  expect(readEnvironment('A=1 "B=two words" "C=say \\"hi\\"" PATH=/bin')).toEqual({
    A: '1',
    B: 'two words',
    C: 'say "hi"',
    PATH: '/bin',
  })
})
