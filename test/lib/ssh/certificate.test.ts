import {mkdtempSync, rmSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import fc from 'fast-check'
import {afterAll, beforeAll, expect, test} from 'vitest'
import {isSignedByAuthority, parseCertificate} from '../../../src/lib/ssh/connect/certificate.ts'
import {judgeCertificate, type Verdict} from '../../../src/lib/ssh/connect/host-certificate.ts'
import type {KnownHost} from '../../../src/lib/ssh/connect/known-hosts.ts'
import {makeCertificate, publicBytes} from '../../support/certificate.ts'
import {makeKey} from '../../support/sshd.ts'

type Type = 'ed25519' | 'ecdsa' | 'rsa'
const PAIRS: readonly (readonly [Type, Type])[] = [
  ['ed25519', 'rsa'],
  ['ecdsa', 'ed25519'],
  ['rsa', 'ecdsa'],
]
const made = new Map<Type, {blob: Buffer; key: Buffer; authority: Buffer}>()
let dir: string
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'ox-cert-'))
  for (const [ca, type] of PAIRS) {
    const authority = makeKey(join(dir, `ca-${ca}`), ca)
    const key = makeKey(join(dir, `host-${ca}`), type)
    const file = makeCertificate(key, {
      authority,
      names: 'a.example,b.example',
      validity: '+0d:+9d',
    })
    const [blob, plain] = [publicBytes(file), publicBytes(`${key}.pub`)]
    made.set(ca, {blob, key: plain, authority: publicBytes(`${authority}.pub`)})
  }
})
afterAll(() => rmSync(dir, {recursive: true, force: true}))

function sample(ca: Type) {
  const found = made.get(ca)
  if (!found) throw new Error(`no certificate by ${ca}`)
  return found
}

const line = (key: Buffer): KnownHost => ({
  hosts: '*',
  marker: 'cert-authority',
  type: '',
  key: key.toString('base64'),
  file: 'f',
  line: 1,
})

const judge = (
  blob: Buffer,
  authority: Buffer,
  name = 'b.example',
  nowMs = Date.now() + 1000,
): Verdict =>
  judgeCertificate(
    {kind: 'certificate', blob},
    {name, authorities: [line(authority)], revoked: [], algorithms: [], nowMs},
  )

test.each(['ed25519', 'ecdsa', 'rsa'] as const)(
  'a certificate by an %s authority is read as it was made, and its signature holds',
  (ca) => {
    const {blob, key, authority} = sample(ca)
    const found = parseCertificate(blob)
    expect(found).toMatchObject({role: 'host', names: ['a.example', 'b.example'], critical: []})
    expect(found?.key).toEqual(key)
    expect(found?.authority).toEqual(authority)
    expect(found && isSignedByAuthority(found)).toBe(true)
    expect(judge(blob, authority)).toMatchObject({kind: 'good', key})
  },
)

test.each(['ed25519', 'ecdsa', 'rsa'] as const)(
  'a certificate by an %s authority that is cut short or has bytes left over is none',
  (ca) => {
    const {blob} = sample(ca)
    for (let length = 0; length < blob.length; length++) {
      expect(parseCertificate(blob.subarray(0, length))).toBeUndefined()
    }
    expect(parseCertificate(Buffer.concat([blob, Buffer.from([0])]))).toBeUndefined()
  },
)

test('no byte of a certificate can be changed without losing its worth', () => {
  const change = fc.record({
    ca: fc.constantFrom('ed25519', 'ecdsa', 'rsa' as const),
    at: fc.nat(),
    by: fc.integer({min: 1, max: 255}),
  })
  fc.assert(
    fc.property(change, ({ca, at, by}) => {
      const {blob, authority} = sample(ca as Type)
      const changed = Buffer.from(blob)
      const index = at % blob.length
      changed[index] = (blob[index] ?? 0) ^ by
      expect(judge(changed, authority).kind).toBe('worthless')
    }),
    {numRuns: 400},
  )
})

test('lengths beyond the end, of any field, are no certificate and cost nothing', () => {
  const {blob} = sample('ed25519')
  const length = fc.constantFrom(0x7fff_ffff, 0xffff_ffff, 0x8000_0000, 0x0001_0000)
  fc.assert(
    fc.property(fc.nat({max: blob.length - 4}), length, (at, value) => {
      const changed = Buffer.from(blob)
      changed.writeUInt32BE(value, at)
      // The bytes may stand there already, as in an RSA key's exponent; it is a good one then.
      fc.pre(!changed.equals(blob))
      const found = parseCertificate(changed)
      expect(found === undefined || !isSignedByAuthority(found)).toBe(true)
    }),
    {numRuns: 400},
  )
})

test('bytes of any kind never throw and are never a good certificate', () => {
  const {authority, blob} = sample('rsa')
  const head = blob.subarray(0, 4 + blob.readUInt32BE())
  const noise = fc.uint8Array({maxLength: 600})
  fc.assert(
    fc.property(noise, fc.boolean(), (bytes, behindItsName) => {
      const whole = behindItsName ? Buffer.concat([head, bytes]) : Buffer.from(bytes)
      expect(judge(whole, authority).kind).toBe('worthless')
    }),
    {numRuns: 1000},
  )
})

test.each([
  ['ssh-keygen itself said so', [], 'good'],
  ['it has a critical option', ['-O', 'critical:moon-phase@example'], 'options'],
  ['it has an extension that nobody knows', ['-O', 'extension:tide@example'], 'good'],
] as const)('only what must be known and is not makes it worthless: %s', (_, more, verdict) => {
  const key = join(dir, 'host-ed25519')
  const authority = join(dir, 'ca-ed25519')
  const file = makeCertificate(key, {authority, names: 'b.example', more})
  const found = judge(publicBytes(file), publicBytes(`${authority}.pub`))
  expect(found.kind === 'worthless' ? found.reason : found.kind).toBe(verdict)
})

test.each([
  [-1, 'not-yet'],
  [0, 'good'],
  [999, 'good'],
  [1000, 'expired'],
])('a certificate is valid from its first second up to its last: %i', (second, verdict) => {
  const key = join(dir, 'host-ed25519')
  const authority = join(dir, 'ca-ed25519')
  const validity = '20300101000000Z:20300101001640Z'
  const blob = publicBytes(makeCertificate(key, {authority, names: 'b.example', validity}))
  const nowMs = Date.UTC(2030, 0, 1) + second * 1000
  const found = judge(blob, publicBytes(`${authority}.pub`), 'b.example', nowMs)
  expect(found.kind === 'worthless' ? found.reason : found.kind).toBe(verdict)
})
