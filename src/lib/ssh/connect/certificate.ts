import {createPublicKey, type KeyObject, verify} from 'node:crypto'
import {packString, readFields, withoutZeros} from './fields.ts'
import {keyTypeOf} from './known-hosts.ts'

/** An OpenSSH certificate (version 1) as it stands; nothing in it is checked yet. */
export interface Certificate {
  /** The plain public key that it is about, in SSH wire form. */
  readonly key: Buffer
  readonly role: 'host' | 'user' | 'unknown'
  /** Names that it is good for; empty = none are listed. */
  readonly names: readonly string[]
  /** Seconds since 1970, the first one that is in. */
  readonly validFrom: bigint
  /** Seconds since 1970, the first one that is out. */
  readonly validTo: bigint
  /** Names of the options that whoever does not know them must not pass over. */
  readonly critical: readonly string[]
  /** The key that signed it, in SSH wire form. */
  readonly authority: Buffer
  /** `ssh-ed25519`, `rsa-sha2-512`... */
  readonly algorithm: string
  readonly signed: Buffer
  readonly signature: Buffer
}

const SUFFIX = '-cert-v01@openssh.com'
/** Key type -> how many fields follow its name in a public key. */
const KEY_FIELDS: Readonly<Record<string, number>> = {
  'ssh-ed25519': 1,
  'ecdsa-sha2-nistp256': 2,
  'ecdsa-sha2-nistp384': 2,
  'ecdsa-sha2-nistp521': 2,
  'ssh-rsa': 2,
}
/** As OpenSSH: longer lists are no certificate. */
const MAX_NAMES = 256
/** As OpenSSH's RequiredRSASize. */
const MIN_RSA_BITS = 1024

/** The key exchange's name for certificates of the host key algorithm `plain`. */
export const certified = (plain: string) => `${plain}${SUFFIX}`

/** Takes a certificate apart; undefined for what is none, is cut short or has bytes left over. */
export function parseCertificate(blob: Buffer): Certificate | undefined {
  try {
    return parse(blob)
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}

function parse(blob: Buffer): Certificate | undefined {
  const fields = readFields(blob)
  const name = fields.text()
  const type = name.slice(0, -SUFFIX.length)
  const count = name.endsWith(SUFFIX) && Object.hasOwn(KEY_FIELDS, type) ? KEY_FIELDS[type] : 0
  if (!count) return undefined
  // The nonce, which makes the signature unpredictable.
  fields.string()
  const keyFields = Array.from({length: count}, () => packString(fields.string()))
  // The serial number; revocation by it (a KRL) is the servers' side of it.
  fields.uint64()
  const role = fields.uint32()
  // The id: free text of the authority.
  fields.string()
  const names = list(fields.string())
  const validFrom = fields.uint64()
  const validTo = fields.uint64()
  const critical = list(fields.string()).filter((_, at) => at % 2 === 0)
  // Extensions, which may be passed over, and a field kept free.
  fields.string()
  fields.string()
  const authority = fields.string()
  const signed = blob.subarray(0, fields.at)
  const signature = readFields(fields.string())
  const algorithm = signature.text()
  const bytes = signature.string()
  if (!fields.done || !signature.done || names.length > MAX_NAMES) return undefined
  // C programs would read such a name only up to there.
  if (names.some((one) => one.includes('\0'))) return undefined
  return {
    key: Buffer.concat([packString(type), ...keyFields]),
    role: role === 2 ? 'host' : role === 1 ? 'user' : 'unknown',
    names,
    validFrom,
    validTo,
    critical,
    authority,
    algorithm,
    signed,
    signature: bytes,
  }
}

function list(data: Buffer): string[] {
  const fields = readFields(data)
  const found: string[] = []
  while (!fields.done) found.push(fields.text())
  return found
}

interface Scheme {
  /** Type of the keys that sign so. */
  readonly key: string
  readonly hash: string | null
}

/** Every way of signing that is taken. SHA-1 (`ssh-rsa`) is none, and keys on security tokens are not supported. */
const SCHEMES: Readonly<Record<string, Scheme>> = {
  'ssh-ed25519': {key: 'ssh-ed25519', hash: null},
  'ecdsa-sha2-nistp256': {key: 'ecdsa-sha2-nistp256', hash: 'sha256'},
  'ecdsa-sha2-nistp384': {key: 'ecdsa-sha2-nistp384', hash: 'sha384'},
  'ecdsa-sha2-nistp521': {key: 'ecdsa-sha2-nistp521', hash: 'sha512'},
  'rsa-sha2-256': {key: 'ssh-rsa', hash: 'sha256'},
  'rsa-sha2-512': {key: 'ssh-rsa', hash: 'sha512'},
}

/** True for an algorithm whose signatures of certificates can be checked and are worth it. */
export function isSoundAlgorithm(algorithm: string): boolean {
  return Object.hasOwn(SCHEMES, algorithm)
}

/** True if the certificate was signed by the key that it names as its authority. */
export function isSignedByAuthority(certificate: Certificate): boolean {
  const {algorithm, authority, signed, signature} = certificate
  const scheme = isSoundAlgorithm(algorithm) ? SCHEMES[algorithm] : undefined
  if (!scheme || keyTypeOf(authority) !== scheme.key) return false
  try {
    const {key, width} = openKey(authority)
    const raw = scheme.key.startsWith('ecdsa-') ? pair(signature, width) : signature
    if (raw.length > width * (scheme.key.startsWith('ecdsa-') ? 2 : 1)) return false
    // OpenSSH cuts the zeros at the head of an RSA signature.
    const padded =
      scheme.key === 'ssh-rsa' ? Buffer.concat([Buffer.alloc(width - raw.length), raw]) : raw
    return verify(scheme.hash, signed, {key, dsaEncoding: 'ieee-p1363'}, padded)
  } catch {
    // A key that is no point of its curve, numbers that are too long: whatever it is, no signature.
    return false
  }
}

/** A public key for node:crypto, and the bytes of one of its signature's numbers. */
function openKey(blob: Buffer): {key: KeyObject; width: number} {
  const fields = readFields(blob)
  const type = fields.text()
  const [first, second] = [fields.string(), type === 'ssh-ed25519' ? undefined : fields.string()]
  if (!fields.done) throw new RangeError('bytes are left over')
  const url = (bytes: Buffer) => bytes.toString('base64url')
  const open = (jwk: Record<string, string>) => createPublicKey({key: jwk, format: 'jwk'})
  if (second === undefined)
    return {key: open({kty: 'OKP', crv: 'Ed25519', x: url(first)}), width: 64}
  if (type === 'ssh-rsa') {
    const modulus = withoutZeros(second)
    const key = open({kty: 'RSA', e: url(withoutZeros(first)), n: url(modulus)})
    if ((key.asymmetricKeyDetails?.modulusLength ?? 0) < MIN_RSA_BITS)
      throw new RangeError('too short')
    return {key, width: modulus.length}
  }
  const curve = first.toString('latin1')
  const bits = Number(curve.slice('nistp'.length))
  const width = Math.ceil(bits / 8)
  const uncompressed = second[0] === 4 && second.length === 1 + 2 * width
  if (type !== `ecdsa-sha2-${curve}` || !uncompressed) throw new RangeError('not such a point')
  const [x, y] = [second.subarray(1, 1 + width), second.subarray(1 + width)]
  return {key: open({kty: 'EC', crv: `P-${bits}`, x: url(x), y: url(y)}), width}
}

/** An ECDSA signature's two numbers at their full width, one after the other. */
function pair(signature: Buffer, width: number): Buffer {
  const fields = readFields(signature)
  const numbers = [fields.string(), fields.string()].map(withoutZeros)
  if (!fields.done) throw new RangeError('bytes are left over')
  const full = numbers.map((it) => Buffer.concat([Buffer.alloc(width - it.length), it]))
  return Buffer.concat(full)
}
