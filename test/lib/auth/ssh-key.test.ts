import {execFileSync} from 'node:child_process'
import {readFileSync} from 'node:fs'
import {join} from 'node:path'
import fc from 'fast-check'
import {afterAll, expect, test} from 'vitest'
import {fingerprintOf, publicKeyOf, readSshKey} from '../../../src/lib/auth/ssh-key.ts'
import {ollamaSigner} from '../../support/ollama-signer.ts'
import {makeKey} from '../../support/sshd.ts'
import {tempHome} from '../../support/temp-home.ts'

/** Any bytes, as Node makes text of a header. */
const anyBytes = fc
  .uint8Array({maxLength: 120})
  .map((bytes) => Buffer.from(bytes).toString('latin1'))

const home = tempHome()
afterAll(() => home.dispose())

const made = (type: string) => readFileSync(`${makeKey(join(home.dir, type), type)}.pub`, 'utf8')
const problem = (text: string) => {
  const read = readSshKey(text)
  return read.kind === 'problem' ? read.problem : `no problem: ${read.publicKey}`
}

test('what ssh-keygen makes is read, and called what ssh-keygen calls it', () => {
  const text = made('ed25519')
  const read = readSshKey(`# mine\r\n\n${text}`)
  if (read.kind !== 'key') throw new Error(read.problem)
  expect(text).toContain(read.publicKey)
  const file = join(home.dir, 'ed25519.pub')
  const said = execFileSync('ssh-keygen', ['-lf', file], {encoding: 'utf8'})
  expect(said.split(' ')[1]).toBe(fingerprintOf(read.publicKey))
})

test('what is no ssh-ed25519 public key is refused, with the reason and without its text', () => {
  const {publicKey} = ollamaSigner()
  makeKey(join(home.dir, 'private'))
  const secret = readFileSync(join(home.dir, 'private'), 'utf8')
  expect(problem(secret)).toBe(
    'is a private key, which belongs nowhere else; its public half ends in .pub',
  )
  expect(problem(made('rsa'))).toContain('is of the type ssh-rsa')
  expect(problem(made('ecdsa'))).toContain('is of the type ecdsa-sha2-nistp256')
  expect(problem('sk-ssh-ed25519@openssh.com AAAA')).toContain('is of the type sk-ssh-ed25519')
  expect(problem('')).toBe('holds no key')
  expect(problem('# nothing\n')).toBe('holds no key')
  const line = `ssh-ed25519 ${publicKey}`
  expect(problem(`${line}\n${line}`)).toBe('holds 2 keys instead of one')
  expect(problem(`command="x" ${line}`)).toBe('is no line that begins with ssh-ed25519')
  expect(problem(publicKey)).toBe('is no line that begins with ssh-ed25519')
  for (const text of [
    '',
    '!',
    publicKey.slice(1),
    `${publicKey}AAAA`,
    publicKey.replace('E5', 'E6'),
  ])
    expect(problem(`ssh-ed25519 ${text}`)).toBe('is damaged')
})

test('any text is read or refused, and what is read verifies', () => {
  fc.assert(
    fc.property(fc.uint8Array({minLength: 32, maxLength: 32}), (bytes) => {
      const head = Buffer.from('\0\0\0\x0bssh-ed25519\0\0\0\x20')
      const text = Buffer.concat([head, bytes]).toString('base64')
      expect(readSshKey(`ssh-ed25519 ${text} me@there`)).toEqual({kind: 'key', publicKey: text})
      expect(publicKeyOf(text)?.asymmetricKeyType).toBe('ed25519')
    }),
  )
  fc.assert(
    fc.property(anyBytes, (text) => {
      expect(readSshKey(text).kind).toBe('problem')
      expect(readSshKey(`ssh-ed25519 ${text}`).kind).toBe('problem')
    }),
  )
})
