import type {SshTarget} from '../target.ts'
import {certified} from './certificate.ts'
import {coversHost, type KnownHost, readKnownHosts, recordName} from './known-hosts.ts'

/** What is on record about one target. */
export interface HostRecord {
  readonly target: SshTarget
  /** The name under which keys of it are on record. */
  readonly name: string
  /** The name that a certificate of it must have: never with a port. */
  readonly bareName: string
  readonly known: readonly KnownHost[]
  /** Keys of the same host under its name without the port, which OpenSSH accepts too. */
  readonly portless: readonly KnownHost[]
  /** Lines of certificate authorities that may vouch for it, by its name with the port or without. */
  readonly authorities: readonly KnownHost[]
}

/** Reads the known_hosts files of a target. */
export async function readHostRecord(target: SshTarget): Promise<HostRecord> {
  const all = await readKnownHosts([...target.userKnownHosts, ...target.globalKnownHosts])
  const alias = target.hostKeyAlias?.toLowerCase()
  const name = alias ?? recordName(target.host, target.port)
  const bareName = alias ?? target.host.toLowerCase()
  const known = all.filter((record) => coversHost(record, name))
  const portless = name === bareName ? [] : all.filter((record) => coversHost(record, bareName))
  const authorities = [...known, ...portless].filter((it) => it.marker === 'cert-authority')
  return {target, name, bareName, known, portless, authorities}
}

/** The algorithms that ssh2 can check, in OpenSSH's order. ssh-rsa (SHA-1) only if the user asks for it. */
const ALGORITHMS = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'rsa-sha2-512',
  'rsa-sha2-256',
]
/** The type of the keys that a host key algorithm is for. */
export const typeOf = (algorithm: string) => (algorithm.startsWith('rsa-') ? 'ssh-rsa' : algorithm)

/**
 * Host key algorithms to offer, those of keys on record first (or of the key that a certificate is
 * about): a server sends only one key, and with another order a well-known host would show a key that is
 * on no record.
 */
export function hostKeyAlgorithms(record: HostRecord, certifiedType?: string): string[] {
  const able = [...ALGORITHMS, 'ssh-rsa']
  const wanted = record.target.hostKeyAlgorithms.filter((name) => able.includes(name))
  const list = wanted.length > 0 ? wanted : ALGORITHMS
  const onRecord = [...record.known, ...record.portless]
    .filter((known) => known.marker === 'none')
    .map((known) => known.type)
  const first = new Set(certifiedType === undefined ? onRecord : [certifiedType])
  return [
    ...list.filter((name) => first.has(typeOf(name))),
    ...list.filter((name) => !first.has(typeOf(name))),
  ]
}

/** Host key algorithms to ask a server's certificate with; empty where the configuration wants none. */
export function certificateAlgorithms({target}: HostRecord): string[] {
  const all = ALGORITHMS.map(certified)
  const wanted = target.hostKeyAlgorithms
  return wanted.length > 0 ? wanted.filter((name) => all.includes(name)) : all
}
