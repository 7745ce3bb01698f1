import {OllamaxError} from '../../errors.ts'
import type {Verdict} from './host-certificate.ts'
import type {HostRecord} from './host-record.ts'
import {fingerprintOf, type KnownHost, keyTypeOf} from './known-hosts.ts'

/** For a key on no record that nobody said yes to. */
export function unknownError(
  record: HostRecord,
  key: Buffer,
  verdict: Verdict | undefined,
): OllamaxError {
  const shown = fingerprintOf(key)
  const rule = record.target.strictHostKeyChecking === 'yes'
  const why = rule ? 'StrictHostKeyChecking is on' : 'nobody accepted it'
  return new OllamaxError(
    'HOST_KEY_UNKNOWN',
    `${describe(record)} is not known yet: it shows the ${kindOf(key)} key ${shown}, and ${why}.${certificateNote(verdict)}`,
    {
      suggestions: [
        ...(verdict?.kind === 'worthless' ? [verdict.next] : []),
        'compare it with what the machine itself says: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub',
        `if it is the same: ollamax node add ... --host-key ${shown}`,
      ],
      details: {
        fingerprint: shown,
        keyType: keyTypeOf(key),
        host: record.name,
        ...(verdict?.kind === 'worthless' ? {certificate: verdict.reason} : {}),
      },
    },
  )
}

/** For another key than the one that is pinned, given or on record. */
export function changedError(
  record: HostRecord,
  key: Buffer,
  onRecord: {
    readonly fingerprint: string
    readonly where: string
    readonly type?: string
    readonly note?: string
  },
): OllamaxError {
  const shown = fingerprintOf(key)
  const {fingerprint, where, type, note = ''} = onRecord
  const suggestions = [
    'find out why before you go on: the machine may have been reinstalled, or someone may be in between',
  ]
  const file = /^(.*):\d+$/.exec(where)?.[1]
  if (file) suggestions.push(`if it was reinstalled: ssh-keygen -R '${record.name}' -f '${file}'`)
  else if (where === 'the cluster file') {
    const [authority] = record.authorities
    if (authority) {
      suggestions.push(
        `or take hostKey out of the cluster file: then the certificate authority in ${authority.file}:${authority.line} decides`,
      )
    }
    suggestions.push(
      `if it was reinstalled: put ${shown} as hostKey into the cluster file (ollamax config edit)`,
    )
  }
  return new OllamaxError(
    'HOST_KEY_CHANGED',
    `${describe(record)} shows the ${kindOf(key)} key ${shown}, but ${where} has ${type ? `the ${shortType(type)} key ` : ''}${fingerprint}${note && `.${note}`}`,
    {suggestions, details: {fingerprint: shown, expected: fingerprint, onRecord: where}},
  )
}

/** For a key, or the authority of a certificate, that known_hosts marks as revoked. */
export function revokedError(
  record: HostRecord,
  {what, fingerprint}: {readonly what: string; readonly fingerprint: string},
  revoked: KnownHost,
): OllamaxError {
  const where = `${revoked.file}:${revoked.line}`
  return new OllamaxError(
    'HOST_KEY_REVOKED',
    `${describe(record)} shows ${what} ${fingerprint}, which is marked as revoked in ${where}`,
    {
      suggestions: [
        'do not connect: that key is known to be in wrong hands',
        'give the machine new host keys (or a new certificate) and connect again',
      ],
      details: {fingerprint, onRecord: where},
    },
  )
}

const shortType = (type: string) =>
  type
    .replace(/^ssh-/, '')
    .replace(/^ecdsa-sha2-.*/, 'ecdsa')
    .toUpperCase()
/** `ED25519`, `ECDSA`, `RSA`: the type of a key as people say it. */
export const kindOf = (key: Buffer) => shortType(keyTypeOf(key))

/** A host as messages name it. */
export function describe({target, name}: HostRecord): string {
  return name === target.alias ? name : `${target.alias} (${name})`
}

/** For a host whose certificate is good, but about another key than the one that it shows. */
export function uncertifiedError(
  record: HostRecord,
  key: Buffer,
  {key: certified, authority}: Extract<Verdict, {kind: 'good'}>,
): OllamaxError {
  const shown = fingerprintOf(key)
  const expected = fingerprintOf(certified)
  const where = `${authority.file}:${authority.line}`
  return new OllamaxError(
    'HOST_KEY_CHANGED',
    `${describe(record)} shows the ${kindOf(key)} key ${shown}, but its certificate (by the authority in ${where}) is for the ${kindOf(certified)} key ${expected}`,
    {
      suggestions: [
        'do not go on before you know why: someone may be in between, who has its certificate but not its key',
        'if several machines answer under this name, connect to each under its own',
        'the server must offer the key of its certificate, too: HostKey beside HostCertificate, and its type in HostKeyAlgorithms',
      ],
      details: {fingerprint: shown, expected, onRecord: where},
    },
  )
}

/** Why the word of an authority did not count, as a sentence in brackets; empty where none was asked. */
export function certificateNote(verdict: Verdict | undefined): string {
  if (verdict?.kind !== 'worthless') return ''
  const {file, line} = verdict.authority
  return ` (${file}:${line} trusts a certificate authority for it, but ${verdict.why}.)`
}
