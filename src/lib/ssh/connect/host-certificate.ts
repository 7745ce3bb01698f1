import {
  type Certificate,
  isSignedByAuthority,
  isSoundAlgorithm,
  parseCertificate,
} from './certificate.ts'
import type {Fetched} from './fetch-certificate.ts'
import {fingerprintOf, type KnownHost, keyTypeOf} from './known-hosts.ts'

/** What a machine's certificate is worth. */
export type Verdict =
  /** `key` (SSH wire form) is this host's, on the word of `authority`. */
  | {readonly kind: 'good'; readonly key: Buffer; readonly authority: KnownHost}
  /** Signed by a key that is marked as revoked. */
  | {readonly kind: 'revoked'; readonly shown: string; readonly revoked: KnownHost}
  /** It says nothing: plain keys alone count. */
  | {
      readonly kind: 'worthless'
      readonly authority: KnownHost
      readonly reason: Reason
      /** Goes on after "trusts a certificate authority for it, but". */
      readonly why: string
      readonly next: string
    }

export type Reason =
  | 'none'
  | 'unreadable'
  | 'other-authority'
  | 'algorithm'
  | 'signature'
  | 'role'
  | 'not-yet'
  | 'expired'
  | 'names'
  | 'options'

export interface Expected {
  /** The name that the certificate must have: as OpenSSH, without the port. */
  readonly name: string
  /** Lines of known_hosts whose authorities may vouch for the host; at least one. */
  readonly authorities: readonly [KnownHost, ...KnownHost[]]
  /** Lines of known_hosts about the host that are marked as revoked. */
  readonly revoked: readonly KnownHost[]
  /** CASignatureAlgorithms; empty = all that are sound. */
  readonly algorithms: readonly string[]
  readonly nowMs: number
}

/**
 * Judges what a server showed when it was asked for a certificate. It must be signed by one of the
 * authorities in a way that is allowed, for a host, for this name, valid now, and without critical
 * options, as OpenSSH has it. Stricter than some versions of it in one thing: a certificate without
 * names is for no host, and a wildcard in a name is a plain character.
 */
export function judgeCertificate(fetched: Fetched, expected: Expected): Verdict {
  const {authorities, revoked, algorithms} = expected
  const worthless =
    (authority: KnownHost) =>
    (reason: Reason, why: string, next: string): Verdict => ({
      kind: 'worthless',
      authority,
      reason,
      why,
      next,
    })
  const [first] = authorities
  if (fetched.kind === 'none') {
    const next = 'give the server its certificate: HostCertificate in its sshd_config'
    return worthless(first)('none', 'it shows no certificate', next)
  }
  const remake = `sign its key anew there: ssh-keygen -s ca_key -I id -h -n '${expected.name}' host_key.pub`
  const found = fetched.kind === 'certificate' ? parseCertificate(fetched.blob) : undefined
  if (!found) {
    const why = fetched.kind === 'broken' ? fetched.why : 'it is none'
    return worthless(first)('unreadable', `its certificate cannot be read: ${why}`, remake)
  }
  const base64 = found.authority.toString('base64')
  const shown = fingerprintOf(found.authority)
  const bad = revoked.find((line) => line.key === base64)
  if (bad) return {kind: 'revoked', shown, revoked: bad}
  const authority = authorities.find((line) => line.key === base64)
  if (!authority) {
    const why = `its certificate is signed by another one, ${shown}`
    const next = `if that authority is yours too: put its key behind @cert-authority in ${first.file}`
    return worthless(first)('other-authority', why, next)
  }
  const no = worthless(authority)
  const {algorithm} = found
  if (!isSoundAlgorithm(algorithm) || (algorithms.length > 0 && !algorithms.includes(algorithm))) {
    return no(
      'algorithm',
      `its certificate is signed by ${algorithm}, which is not allowed`,
      remake,
    )
  }
  if (!isSignedByAuthority(found)) {
    return no('signature', 'the signature of its certificate is wrong', remake)
  }
  const flaw = flawOf(found, expected)
  if (flaw) return no(flaw.reason, flaw.why, flaw.next ?? remake)
  return {kind: 'good', key: found.key, authority}
}

interface Flaw {
  readonly reason: Reason
  readonly why: string
  readonly next?: string
}

/** What is wrong with a certificate that the authority did sign. */
function flawOf(found: Certificate, {name, nowMs}: Expected): Flaw | undefined {
  const now = BigInt(Math.floor(nowMs / 1000))
  if (found.role !== 'host') {
    const what = found.role === 'user' ? 'is one for a user, not for a host' : 'is not for a host'
    return {reason: 'role', why: `its certificate ${what}`}
  }
  if (now < found.validFrom) {
    const next = 'look at the clock of this machine: date'
    return {
      reason: 'not-yet',
      why: `its certificate is valid only from ${day(found.validFrom)}`,
      next,
    }
  }
  if (now >= found.validTo) {
    return {reason: 'expired', why: `its certificate expired on ${day(found.validTo)}`}
  }
  if (!found.names.includes(name)) {
    const listed = found.names.slice(0, 5).join(', ')
    const more = found.names.length > 5 ? ` and ${found.names.length - 5} more` : ''
    const names = listed === '' ? 'for no host at all' : `for ${listed}${more}`
    return {reason: 'names', why: `its certificate is ${names}, not for ${name}`}
  }
  if (found.critical.length > 0) {
    const options = found.critical.slice(0, 5).join(', ')
    return {
      reason: 'options',
      why: `its certificate has options that must be known and are not: ${options}`,
    }
  }
  return undefined
}

/** Seconds since 1970 as a UTC time; what no calendar holds is far away. */
function day(seconds: bigint): string {
  if (seconds > 8_640_000_000_000n) return 'a day that never comes'
  return new Date(Number(seconds) * 1000).toISOString().replace(/\.\d+/, '')
}

/** The type of plain key that a certificate's own key is of. */
export const certifiedType = (verdict: Verdict | undefined) =>
  verdict?.kind === 'good' ? keyTypeOf(verdict.key) : undefined
