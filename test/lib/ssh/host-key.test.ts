import {execFileSync} from 'node:child_process'
import {readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {afterAll, beforeAll, beforeEach, expect, test} from 'vitest'
import {type DialOptions, dial} from '../../../src/lib/ssh/dial.ts'
import {resolveTarget} from '../../../src/lib/ssh/target.ts'
import {fakeAsk} from '../../support/fake-ask.ts'
import {makeKey, type Sshd, startSshd} from '../../support/sshd.ts'

let sshd: Sshd
beforeAll(async () => {
  sshd = await startSshd({keyTypes: ['ed25519', 'rsa']})
})
afterAll(() => sshd?.stop())
beforeEach(() => writeFileSync(sshd.knownHosts, ''))

async function connect(options: Partial<DialOptions> = {}, config = ''): Promise<string> {
  const file = join(sshd.dir, 'ssh_config_now')
  writeFileSync(file, `${config}\n${readFileSync(sshd.configFile, 'utf8')}`)
  const env = {...sshd.env, OLLAMAX_SSH_CONFIG: file}
  const remote = await dial(await resolveTarget(sshd.target, {env}), {env, ...options})
  await remote.close()
  return remote.hostKey
}

const keyLine = (type: string, file = `host_${type}`) =>
  readFileSync(join(sshd.dir, `${file}.pub`), 'utf8')
    .split(' ')
    .slice(0, 2)
    .join(' ')
const name = () => `[127.0.0.1]:${sshd.port}`

test('an unknown host is asked about, put on record, and known from then on, also to ssh', async () => {
  const ask = fakeAsk([true])
  expect(await connect({ask})).toBe(sshd.fingerprint('ed25519'))
  expect(ask.asked[0]).toContain(sshd.fingerprint('ed25519'))
  expect(await connect()).toBe(sshd.fingerprint('ed25519'))
  const found = execFileSync('ssh-keygen', ['-F', name(), '-f', sshd.knownHosts], {
    encoding: 'utf8',
  })
  expect(found).toContain(keyLine('ed25519'))
})

test('a no leaves the host unknown and nothing on record', async () => {
  await expect(connect({ask: fakeAsk([false])})).rejects.toMatchObject({code: 'HOST_KEY_UNKNOWN'})
  expect(readFileSync(sshd.knownHosts, 'utf8')).toBe('')
})

test('without a terminal an unknown host is refused with its fingerprint and the flag', async () => {
  await expect(connect()).rejects.toMatchObject({
    code: 'HOST_KEY_UNKNOWN',
    message: expect.stringContaining(sshd.fingerprint('ed25519')),
    suggestions: expect.arrayContaining([
      expect.stringContaining(`--host-key ${sshd.fingerprint('ed25519')}`),
    ]),
  })
})

test('a fingerprint given beforehand lets in exactly that key', async () => {
  await connect({accept: sshd.fingerprint('rsa')})
  writeFileSync(sshd.knownHosts, '')
  await expect(connect({accept: 'SHA256:wrong'})).rejects.toMatchObject({code: 'HOST_KEY_CHANGED'})
  await connect({accept: sshd.fingerprint('ed25519')})
})

test('a login that is refused is said as such where the fingerprint is of the second key shown', async () => {
  const keys = readFileSync(join(sshd.dir, 'authorized_keys'))
  writeFileSync(join(sshd.dir, 'authorized_keys'), '')
  try {
    await expect(connect({pinned: sshd.fingerprint('rsa')})).rejects.toMatchObject({
      code: 'SSH_DENIED',
    })
  } finally {
    writeFileSync(join(sshd.dir, 'authorized_keys'), keys)
  }
})

test('StrictHostKeyChecking: yes refuses, accept-new and no take a new key', async () => {
  const strict = (value: string) => `StrictHostKeyChecking ${value}`
  await expect(connect({ask: fakeAsk([true])}, strict('yes'))).rejects.toMatchObject({
    code: 'HOST_KEY_UNKNOWN',
  })
  const notes: string[] = []
  await connect({note: (text) => notes.push(text)}, strict('accept-new'))
  expect(notes.join()).toContain(sshd.fingerprint('ed25519'))
  writeFileSync(sshd.knownHosts, '')
  await connect({}, strict('no'))
})

test.each(['ask', 'no', 'accept-new'])(
  'a changed key is refused with StrictHostKeyChecking %s, naming both and the line',
  async (strict) => {
    const other = makeKey(join(sshd.dir, `other-${strict}`))
    writeFileSync(sshd.knownHosts, `# mine\n${name()} ${keyLine('ed25519', `other-${strict}`)}\n`)
    const theirs = execFileSync('ssh-keygen', ['-lf', other], {encoding: 'utf8'}).split(' ')[1]
    const attempt = connect({accept: true, ask: fakeAsk([true])}, `StrictHostKeyChecking ${strict}`)
    await expect(attempt).rejects.toMatchObject({code: 'HOST_KEY_CHANGED'})
    const message = await attempt.catch((error: Error) => error.message)
    expect(message).toContain(sshd.fingerprint('ed25519'))
    expect(message).toContain(theirs)
    expect(message).toContain(`${sshd.knownHosts}:2`)
  },
)

test('the type of key that is on record is the one asked for', async () => {
  writeFileSync(sshd.knownHosts, `${name()} ${keyLine('rsa')}\n`)
  expect(await connect()).toBe(sshd.fingerprint('rsa'))
})

test('a pinned key beats known_hosts, whatever its type', async () => {
  makeKey(join(sshd.dir, 'stranger'))
  writeFileSync(sshd.knownHosts, `${name()} ${keyLine('ed25519', 'stranger')}\n`)
  expect(await connect({pinned: sshd.fingerprint('ed25519')})).toBe(sshd.fingerprint('ed25519'))
  expect(await connect({pinned: sshd.fingerprint('rsa')})).toBe(sshd.fingerprint('rsa'))
})

test('another key than the pinned one is refused, naming both', async () => {
  const attempt = connect({pinned: 'SHA256:pinned', accept: true})
  await expect(attempt).rejects.toMatchObject({code: 'HOST_KEY_CHANGED'})
  const message = await attempt.catch((error: Error) => error.message)
  expect(message).toContain('SHA256:pinned')
  expect(message).toContain(sshd.fingerprint('ed25519'))
})

test('a revoked key is refused, also when pinned or accepted', async () => {
  writeFileSync(sshd.knownHosts, `@revoked * ${keyLine('ed25519')}\n`)
  const pinned = sshd.fingerprint('ed25519')
  await expect(connect({pinned})).rejects.toMatchObject({code: 'HOST_KEY_REVOKED'})
  await expect(connect({accept: true})).rejects.toMatchObject({code: 'HOST_KEY_REVOKED'})
})

test('a host that only a certificate authority vouches for is unknown, and it is said why', async () => {
  writeFileSync(sshd.knownHosts, `@cert-authority * ${keyLine('rsa')}\n`)
  const attempt = connect()
  await expect(attempt).rejects.toMatchObject({code: 'HOST_KEY_UNKNOWN'})
  expect(await attempt.catch((error: Error) => error.message)).toContain('certificate')
})

test('a key on record under the name without the port will do, as with ssh', async () => {
  writeFileSync(sshd.knownHosts, `127.0.0.1 ${keyLine('ed25519')}\n`)
  await connect()
})

test('HashKnownHosts and HostKeyAlias are honoured', async () => {
  await connect({accept: true}, 'HashKnownHosts yes\nHostKeyAlias the-box')
  expect(readFileSync(sshd.knownHosts, 'utf8')).toMatch(/^\|1\|/)
  const found = execFileSync('ssh-keygen', ['-F', 'the-box', '-f', sshd.knownHosts], {
    encoding: 'utf8',
  })
  expect(found).toContain(keyLine('ed25519'))
  await connect({}, 'HostKeyAlias the-box')
})
