import fc from 'fast-check'
import {expect, test} from 'vitest'
import {findCredential} from '../../../src/lib/auth/credentials.ts'

/** Any bytes, as Node makes text of a header. */
const anyBytes = fc
  .uint8Array({maxLength: 120})
  .map((bytes) => Buffer.from(bytes).toString('latin1'))

const find = (target: string, ...rawHeaders: string[]) =>
  findCredential({method: 'GET', target, rawHeaders})
const token = (text: string, target = '/api/tags') => ({
  kind: 'found',
  credential: {kind: 'token', token: text},
  target,
})
const none = (target = '/api/tags') => ({kind: 'found', credential: {kind: 'none'}, target})
const refused = (reason: string) => ({kind: 'refused', reason})

test.each([
  [['/api/tags'], none()],
  [['/api/tags', 'Authorization', 'Bearer abc'], token('abc')],
  [['/api/tags', 'AUTHORIZATION', 'bearer   abc '], token('abc')],
  [['/api/tags', 'X-Api-Key', 'abc'], token('abc')],
  [['/t/abc/api/tags'], token('abc')],
  [['/t/abc/'], token('abc', '/')],
  [['/t/abc'], token('abc', '/')],
  [['/t/abc?x=1'], token('abc', '/?x=1')],
  [['/t/abc/api/tags?ts=1'], token('abc', '/api/tags?ts=1')],
  [['/t//api/tags'], none('/t//api/tags')],
  [['/t/'], none('/t/')],
  [['/api/t/abc/tags'], none('/api/t/abc/tags')],
  [['http://gw/t/abc/api/tags'], none('http://gw/t/abc/api/tags')],
  // What programs send that were given an empty key.
  [['/api/tags', 'Authorization', 'Bearer '], none()],
  [['/api/tags', 'Authorization', ''], none()],
  [['/api/tags', 'x-api-key', ''], none()],
  [['/api/tags', 'x-api-key', '', 'Authorization', 'Bearer abc'], token('abc')],
  [['/api/tags', 'x-api-key', 'abc', 'Authorization', 'Bearer'], token('abc')],
  // The same one twice is one.
  [['/api/tags', 'x-api-key', 'abc', 'Authorization', 'Bearer abc'], token('abc')],
  [['/t/abc/api/tags', 'x-api-key', 'abc', 'Authorization', 'Bearer abc'], token('abc')],
  [['/api/tags', 'x-api-key', 'abc', 'X-API-KEY', 'abc'], token('abc')],
  // Two that differ are refused, whichever is good.
  [['/api/tags', 'x-api-key', 'abc', 'Authorization', 'Bearer abd'], refused('several')],
  [['/api/tags', 'x-api-key', 'abc', 'x-api-key', 'abd'], refused('several')],
  [['/api/tags', 'Authorization', 'Bearer a', 'authorization', 'Bearer b'], refused('several')],
  [['/t/abc/api/tags', 'x-api-key', 'abd'], refused('several')],
  [['/t/abc/api/tags', 'Authorization', 'Bearer abd'], refused('several')],
  [['/t/abc/api/tags?ts=1', 'Authorization', 'AAAA:BBBB'], refused('several')],
  [['/api/tags?ts=1', 'Authorization', 'AAAA:BBBB', 'x-api-key', 'a'], refused('several')],
  // Not ours.
  [['/api/tags', 'Authorization', 'Basic dTpw'], refused('malformed')],
  [['/api/tags', 'Authorization', 'Bearer a b'], refused('malformed')],
  [['/api/tags', 'Authorization', 'abc'], refused('malformed')],
  [['/api/tags', 'Authorization', `Bearer ${'a'.repeat(257)}`], refused('too-long')],
  [['/api/tags', 'Authorization', `Bearer ${'a'.repeat(60_000)}`], refused('too-long')],
  [['/api/tags?ts=1', 'Authorization', `AAAA:${'B'.repeat(600)}`], refused('too-long')],
  [['/api/tags', 'x-api-key', 'a'.repeat(60_000)], refused('too-long')],
  [[`/t/${'a'.repeat(60_000)}/api/tags`], refused('too-long')],
  // An odd list, as no parser makes it.
  [['/api/tags', 'Authorization'], none()],
] as const)('%j', ([target, ...headers], expected) =>
  expect(find(target, ...headers)).toEqual(expected),
)

test.each([
  ['/api/tags?ts=12', 'GET,/api/tags?ts=12', '/api/tags'],
  ['/?ts=12', 'GET,/?ts=12', '/'],
  ['/api/tags?a=1&ts=12&b=2', 'GET,/api/tags?ts=12', '/api/tags?a=1&b=2'],
  ['/api/tags?tst=1&ts=12', 'GET,/api/tags?ts=12', '/api/tags?tst=1'],
])('a signature over %s covers %s, and the node sees %s', (target, signed, rest) => {
  expect(find(target, 'Authorization', 'AAAA:BBBB')).toEqual({
    kind: 'found',
    credential: {kind: 'signature', signed, ts: 12, header: 'AAAA:BBBB'},
    target: rest,
  })
})

test.each([
  '/api/tags',
  '/api/tags?',
  '/api/tags?ts=',
  '/api/tags?ts=-1',
  '/api/tags?ts=1e3',
  '/api/tags?ts=1.5',
  '/api/tags?ts=0x10',
  '/api/tags?ts=1234567890123',
  '/api/tags?ts=1&ts=2',
  '/api/tags?ts=1&ts=1',
  '/api/tags?t%73=1',
])('a signature with the time of %s is malformed', (target) => {
  expect(find(target, 'Authorization', 'AAAA:BBBB')).toEqual(refused('malformed'))
})

test('a token found in the path is never left in the target, whatever stands around it', () => {
  const word = fc.stringMatching(/^[A-Za-z0-9_-]{20,43}$/)
  const rest = fc.stringMatching(/^([/?][a-z0-9/?=&.%-]{0,40})?$/)
  fc.assert(
    fc.property(word, rest, (secret, tail) => {
      const result = find(`/t/${secret}${tail}`)
      expect(result).toMatchObject({credential: {kind: 'token', token: secret}})
      const {target} = result as {target: string}
      expect(target.startsWith('/')).toBe(true)
      expect(target).toBe(tail.startsWith('/') ? tail : `/${tail}`)
    }),
  )
})

test('no head of a request makes it throw, or find a credential that nobody sent', () => {
  const text = fc.oneof(fc.string(), anyBytes, fc.constant('Bearer x'))
  const name = fc.oneof(fc.constantFrom('authorization', 'x-api-key', 'host'), fc.string())
  const headers = fc.array(fc.tuple(name, text), {maxLength: 6})
  const target = fc.oneof(
    fc.string(),
    fc.string().map((rest) => `/t/${rest}`),
  )
  fc.assert(
    fc.property(target, headers, (where, pairs) => {
      const result = find(where, ...pairs.flat())
      const sent = [where, ...pairs.map(([, value]) => value)]
      if (result.kind === 'found' && result.credential.kind === 'token') {
        const {token: found} = result.credential
        expect(sent.some((part) => part.includes(found))).toBe(true)
      }
    }),
  )
})
