import fc from 'fast-check'
import {expect, test} from 'vitest'
import {type Credential, findCredential} from '../../../src/lib/auth/credentials.ts'
import type {Key, SshKey, TokenKey} from '../../../src/lib/auth/key.ts'
import {Keyring} from '../../../src/lib/auth/keyring.ts'
import {hashToken, makeKeyId, makeToken} from '../../../src/lib/auth/make-token.ts'
import {ollamaSigner} from '../../support/ollama-signer.ts'

/** Any bytes, as Node makes text of a header. */
const anyBytes = fc
  .uint8Array({maxLength: 120})
  .map((bytes) => Buffer.from(bytes).toString('latin1'))

const NOW_S = 1_800_000_000
const NOW_MS = NOW_S * 1000

function tokenKey(change: Partial<TokenKey> = {}): {
  readonly key: TokenKey
  readonly token: string
} {
  const {token, hash} = makeToken()
  const id = makeKeyId()
  return {token, key: {kind: 'token', id, name: id, createdAtMs: 0, hash, ...change}}
}

function sshKey(change: Partial<SshKey> = {}) {
  const signer = ollamaSigner()
  const id = makeKeyId()
  const {publicKey} = signer
  const key: SshKey = {kind: 'ssh', id, name: id, createdAtMs: 0, publicKey, ...change}
  return {key, signer}
}

/** The credential as it comes over the wire. */
function signed(authorization: string, method: string, target: string): Credential {
  const rawHeaders = ['Authorization', authorization]
  const found = findCredential({method, target, rawHeaders})
  if (found.kind === 'refused') throw new Error(found.reason)
  return found.credential
}

const refused = (reason: string) => ({kind: 'refused', reason})

test('a token is 256 random bits behind a mark, its hash is what any SHA-256 says', () => {
  const {token, hash} = makeToken()
  expect(token).toMatch(/^ollamax_[A-Za-z0-9_-]{43}$/)
  expect(hash).toBe(hashToken(token))
  expect(hashToken('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
  expect(new Set(Array.from({length: 100}, () => makeToken().token)).size).toBe(100)
  expect(makeKeyId()).toMatch(/^[0-9a-f]{12}$/)
})

test('each token is known as its own key, among many', () => {
  const all = Array.from({length: 200}, () => tokenKey())
  const ring = new Keyring(all.map(({key}) => key))
  for (const {key, token} of all)
    expect(ring.identify({kind: 'token', token}, NOW_MS)).toEqual({kind: 'key', key})
})

test('a token that was good is refused once its time is over, and one that was refused stays so', () => {
  const {key, token} = tokenKey({expiresAtMs: NOW_MS + 1000})
  const ring = new Keyring([key])
  const ask = (text: string, nowMs: number) => ring.identify({kind: 'token', token: text}, nowMs)
  for (let times = 0; times < 3; times++) {
    expect(ask(token, NOW_MS)).toEqual({kind: 'key', key})
    expect(ask(`${token}x`, NOW_MS)).toEqual(refused('unknown'))
  }
  expect(ask(token, NOW_MS + 1000)).toEqual(refused('expired'))
})

test('a token that differs anywhere, its hash, or its beginning is unknown', () => {
  const {key, token} = tokenKey()
  const ring = new Keyring([key])
  fc.assert(
    fc.property(fc.nat(token.length - 1), fc.string({minLength: 1, maxLength: 1}), (at, char) => {
      const other = token.slice(0, at) + char + token.slice(at + 1)
      fc.pre(other !== token)
      expect(ring.identify({kind: 'token', token: other}, NOW_MS)).toEqual(refused('unknown'))
    }),
  )
  for (const other of [key.hash, token.slice(0, -1), `${token} `, '', 'ollamax_', key.id, key.name])
    expect(ring.identify({kind: 'token', token: other}, NOW_MS)).toEqual(refused('unknown'))
})

test('without a credential nobody is let in; without keys nobody is, either', () => {
  expect(new Keyring([tokenKey().key]).identify({kind: 'none'}, NOW_MS)).toEqual(refused('missing'))
  const empty = new Keyring([])
  expect(empty.empty).toBe(true)
  expect(empty.identify({kind: 'none'}, NOW_MS)).toEqual(refused('missing'))
  expect(empty.identify({kind: 'token', token: 'x'}, NOW_MS)).toEqual(refused('unknown'))
  expect(new Keyring([tokenKey().key]).empty).toBe(false)
})

test('a key is good until the moment it expires, and not from then on', () => {
  const {key, token} = tokenKey({expiresAtMs: NOW_MS})
  const ring = new Keyring([key])
  expect(ring.identify({kind: 'token', token}, NOW_MS - 1)).toEqual({kind: 'key', key})
  expect(ring.identify({kind: 'token', token}, NOW_MS)).toEqual(refused('expired'))
  expect(ring.identify({kind: 'token', token}, Number.NaN)).toEqual(refused('expired'))
})

test('a revoked key is unknown to the ring that is made without it', () => {
  const [gone, stays] = [tokenKey(), tokenKey()]
  const ring = new Keyring([stays.key])
  expect(ring.identify({kind: 'token', token: gone.token}, NOW_MS)).toEqual(refused('unknown'))
  expect(ring.identify({kind: 'token', token: stays.token}, NOW_MS).kind).toBe('key')
})

// As `ollama show` and its greeting of version 0.33.0-rc2 sent them, with OLLAMA_AUTH=1.
const REAL = 'AAAAC3NzaC1lZDI1NTE5AAAAIKwx7O1WWSLjuURU7bZhG/dDG5E1EUS3gG1yRMx13x6Q'
test.each([
  [
    'HEAD',
    '/?ts=1795540626',
    'C5Ol12+AkGarNyHTz1NkB0FPl8fAy+JUWOj67f4T4snIewLZi7DmI70AC5sFhd7oKJUt1U39VWDoDUDU1OruAw==',
  ],
  [
    'POST',
    '/api/show?ts=1795540626',
    'jlzYYbBwUPAZ/k9efDunCxWP9evVYkUUlbCHVHgNEIeZqOkLmkV6JPXE9NAuFs1DHbC7Abyea8j5DXQgJ/+vCA==',
  ],
])('what a real ollama command signed is believed: %s %s', (method, target, signature) => {
  const {key} = sshKey({publicKey: REAL})
  const credential = signed(`${REAL}:${signature}`, method, target)
  expect(new Keyring([key]).identify(credential, 1_795_540_626_000)).toEqual({kind: 'key', key})
})

test('a signature is believed for its method, path, time and key, and for no other', () => {
  const {key, signer} = sshKey()
  const other = sshKey()
  const ring = new Keyring([key, other.key])
  const good = signer.authorize('POST', '/api/chat', NOW_S)
  const at = (target: string, method = 'POST', header = good) =>
    ring.identify(signed(header, method, target), NOW_MS)
  expect(at(`/api/chat?ts=${NOW_S}`)).toEqual({kind: 'key', key})
  expect(at(`/api/chat?ts=${NOW_S}`, 'GET')).toEqual(refused('bad-signature'))
  expect(at(`/api/tags?ts=${NOW_S}`)).toEqual(refused('bad-signature'))
  expect(at(`/api/chat/?ts=${NOW_S}`)).toEqual(refused('bad-signature'))
  expect(at(`/api/chat?ts=${NOW_S + 1}`)).toEqual(refused('bad-signature'))
  expect(at(`/api/chat?ts=0${NOW_S}`)).toEqual(refused('bad-signature'))
  const [, signature] = good.split(':')
  expect(at(`/api/chat?ts=${NOW_S}`, 'POST', `${other.key.publicKey}:${signature}`)).toEqual(
    refused('bad-signature'),
  )
  const stranger = ollamaSigner().authorize('POST', '/api/chat', NOW_S)
  expect(at(`/api/chat?ts=${NOW_S}`, 'POST', stranger)).toEqual(refused('unknown'))
})

test('a signature that differs in any bit is refused', () => {
  const {key, signer} = sshKey()
  const ring = new Keyring([key])
  const [, good = ''] = signer.authorize('GET', '/api/tags', NOW_S).split(':')
  fc.assert(
    fc.property(fc.nat(511), (bit) => {
      const bytes = Buffer.from(good, 'base64')
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      const header = `${key.publicKey}:${bytes.toString('base64')}`
      const credential = signed(header, 'GET', `/api/tags?ts=${NOW_S}`)
      expect(ring.identify(credential, NOW_MS)).toEqual(refused('bad-signature'))
    }),
  )
})

test.each([
  [-300, 'key'],
  [300, 'key'],
  [-301, 'refused'],
  [301, 'refused'],
  [-86_400, 'refused'],
])('a time that is %d s away from ours makes it: %s', (offset, kind) => {
  const {key, signer} = sshKey()
  const ts = NOW_S + offset
  const credential = signed(signer.authorize('GET', '/', ts), 'GET', `/?ts=${ts}`)
  const result = new Keyring([key]).identify(credential, NOW_MS)
  expect(result).toEqual(kind === 'key' ? {kind, key} : refused('stale'))
})

test('an expired ssh key is told so only by who can sign with it', () => {
  const {key, signer} = sshKey({expiresAtMs: NOW_MS - 1})
  const ring = new Keyring([key])
  const good = signer.authorize('GET', '/', NOW_S)
  expect(ring.identify(signed(good, 'GET', `/?ts=${NOW_S}`), NOW_MS)).toEqual(refused('expired'))
  expect(ring.identify(signed(good, 'PUT', `/?ts=${NOW_S}`), NOW_MS)).toEqual(
    refused('bad-signature'),
  )
})

test('no header makes it throw or let anybody in', () => {
  const {key, signer} = sshKey()
  const ring = new Keyring([key])
  const [, good = ''] = signer.authorize('GET', '/', NOW_S).split(':')
  const rsa = Buffer.concat([Buffer.from('\0\0\0\x07ssh-rsa'), Buffer.alloc(300, 1)])
  const tails = [
    '',
    ':',
    good.replace(/=+$/, ''),
    `${good}=`,
    good.replace(/.$/, '*'),
    ` ${good}`,
    `${good}:${good}`,
    // Always another text: not every signature holds a certain letter.
    good.replace(/./, (first) => `%${first.charCodeAt(0).toString(16)}`),
    '\u0000',
    '💥'.repeat(50),
    'A'.repeat(400),
    Buffer.alloc(63).toString('base64'),
    Buffer.alloc(64).toString('base64'),
    Buffer.alloc(65).toString('base64'),
  ]
  const heads = ['', 'AAAA', key.publicKey, key.publicKey.slice(4), rsa.toString('base64')]
  const check = (header: string) => {
    const credential: Credential = {
      kind: 'signature',
      signed: `GET,/?ts=${NOW_S}`,
      ts: NOW_S,
      header,
    }
    const result = ring.identify(credential, NOW_MS)
    expect(result.kind, header).toBe('refused')
  }
  for (const head of heads) for (const tail of tails) check(`${head}:${tail}`)
  fc.assert(fc.property(anyBytes, check))
  fc.assert(fc.property(anyBytes, (tail) => check(`${key.publicKey}:${tail}`)))
})

test('a list of models lets in what it names, by any name that Ollama takes for it, and nothing else', () => {
  const limited = tokenKey({models: ['llama3.2', 'qwen3:*', 'hf.co/me/*']}).key
  const free = tokenKey().key
  const ring = new Keyring([limited, free])
  const may = (model: string) => ring.mayUse(limited, model)
  for (const model of ['llama3.2', 'LLAMA3.2:latest', 'library/llama3.2', 'qwen3:8b', 'qwen3'])
    expect([model, may(model)]).toEqual([model, true])
  expect(may('hf.co/Me/x-GGUF:Q4_K_M')).toBe(true)
  const others = ['llama3.2:1b', 'me/llama3.2', 'qwen30:8b', 'hf.co/you/x', '', 'a b', '../x', '*']
  for (const model of others) {
    expect([model, may(model)]).toEqual([model, false])
    expect(ring.mayUse(free, model)).toBe(true)
  }
})

test('a list is kept also where the key is of an older ring, or no entry of it can be read', () => {
  const older: Key = tokenKey({models: ['a']}).key
  expect(new Keyring([]).mayUse(older, 'a')).toBe(false)
  const {key} = tokenKey({models: ['a b']})
  expect(new Keyring([key]).mayUse(key, 'a')).toBe(false)
})
