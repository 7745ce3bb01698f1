import type {Ask} from '../../cluster/ask.ts'
import {messageOf, OllamaxError} from '../../errors.ts'
import type {SshTarget} from '../target.ts'
import {
  addKnownHost,
  coversHost,
  fingerprintOf,
  type KnownHost,
  keyTypeOf,
  readKnownHosts,
  recordName,
} from './known-hosts.ts'

/** Who may say yes to a host key, and what is known of it beside the known_hosts files. */
export interface HostKeyPolicy {
  /** Fingerprint from the cluster file: the only key that will do. */
  readonly pinned?: string | undefined
  /** `true`: take a key that is on no record; a fingerprint: take exactly that one. */
  readonly accept?: boolean | string | undefined
  readonly ask?: Ask | undefined
  /** Takes remarks for the user ("added to known_hosts"). */
  readonly note?: ((text: string) => void) | undefined
}

/** What is on record about one target. */
export interface HostRecord {
  readonly target: SshTarget
  /** The name under which keys of it are on record. */
  readonly name: string
  readonly known: readonly KnownHost[]
  /** Keys of the same host under its name without the port, which OpenSSH accepts too. */
  readonly portless: readonly KnownHost[]
}

/** Reads the known_hosts files of a target. */
export async function readHostRecord(target: SshTarget): Promise<HostRecord> {
  const all = await readKnownHosts([...target.userKnownHosts, ...target.globalKnownHosts])
  const alias = target.hostKeyAlias?.toLowerCase()
  const name = alias ?? recordName(target.host, target.port)
  const bare = target.host.toLowerCase()
  return {
    target,
    name,
    known: all.filter((record) => coversHost(record, name)),
    portless:
      alias === undefined && name !== bare ? all.filter((record) => coversHost(record, bare)) : [],
  }
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
const typeOf = (algorithm: string) => (algorithm.startsWith('rsa-') ? 'ssh-rsa' : algorithm)

/**
 * Host key algorithms to offer, those of keys on record first: a server sends only one key, and with
 * another order a well-known host would show a key that is on no record.
 */
export function hostKeyAlgorithms(record: HostRecord): string[] {
  const able = [...ALGORITHMS, 'ssh-rsa']
  const wanted = record.target.hostKeyAlgorithms.filter((name) => able.includes(name))
  const list = wanted.length > 0 ? wanted : ALGORITHMS
  const onRecord = new Set(
    [...record.known, ...record.portless]
      .filter((known) => known.marker === 'none')
      .map((known) => known.type),
  )
  return [
    ...list.filter((name) => onRecord.has(typeOf(name))),
    ...list.filter((name) => !onRecord.has(typeOf(name))),
  ]
}

/**
 * Decides about the key that a server shows. Resolves if it may be trusted; otherwise throws
 * HOST_KEY_CHANGED, HOST_KEY_REVOKED or HOST_KEY_UNKNOWN. Never says yes where another key is on
 * record, whatever the configuration says.
 */
export async function judgeHostKey(
  record: HostRecord,
  key: Buffer,
  policy: HostKeyPolicy,
): Promise<void> {
  const shown = fingerprintOf(key)
  const base64 = key.toString('base64')
  const same = (known: KnownHost) => known.key === base64
  const all = [...record.known, ...record.portless]
  const revoked = all.find((known) => known.marker === 'revoked' && same(known))
  if (revoked) throw revokedError(record, shown, revoked)
  if (policy.pinned !== undefined) {
    if (policy.pinned === shown) return
    throw changedError(record, key, {fingerprint: policy.pinned, where: 'the cluster file'})
  }
  if (typeof policy.accept === 'string' && policy.accept !== shown) {
    throw changedError(record, key, {fingerprint: policy.accept, where: 'your --host-key'})
  }
  if (record.known.some((known) => known.marker === 'none' && same(known))) return
  const other = otherOnRecord(record, key)
  if (other) {
    const fingerprint = fingerprintOf(Buffer.from(other.key, 'base64'))
    throw changedError(record, key, {
      fingerprint,
      where: `${other.file}:${other.line}`,
      type: other.type,
    })
  }
  if (record.portless.some((known) => known.marker === 'none' && same(known))) return
  await acceptNew(record, key, policy)
}

/** A record of another key that this host could have shown. */
function otherOnRecord(record: HostRecord, key: Buffer): KnownHost | undefined {
  const able = new Set(hostKeyAlgorithms(record).map(typeOf))
  const others = record.known.filter((known) => known.marker === 'none' && able.has(known.type))
  return others.find((known) => known.type === keyTypeOf(key)) ?? others[0]
}

async function acceptNew(record: HostRecord, key: Buffer, policy: HostKeyPolicy): Promise<void> {
  const {target} = record
  const shown = fingerprintOf(key)
  const strict = target.strictHostKeyChecking
  const given = policy.accept === true || policy.accept === shown
  const byConfig = strict === 'accept-new' || strict === 'no'
  if (!given && !byConfig) {
    const question = `${describe(record)} is not known yet. It shows the ${kindOf(key)} key ${shown}.${caNote(record)} Is that right?`
    if (strict === 'yes' || !policy.ask?.interactive) throw unknownError(record, key)
    if (!(await policy.ask.confirm(question, `--host-key ${shown}`))) {
      throw unknownError(record, key)
    }
  }
  const file = target.userKnownHosts[0]
  if (file === undefined || file === '/dev/null') return
  try {
    await addKnownHost(file, {name: record.name, key, hashed: target.hashKnownHosts})
    if (!given) policy.note?.(`added the ${kindOf(key)} key ${shown} of ${record.name} to ${file}`)
  } catch (error) {
    policy.note?.(`the key of ${record.name} could not be added to ${file}: ${messageOf(error)}`)
  }
}

function unknownError(record: HostRecord, key: Buffer): OllamaxError {
  const shown = fingerprintOf(key)
  const rule = record.target.strictHostKeyChecking === 'yes'
  const why = rule ? 'StrictHostKeyChecking is on' : 'nobody accepted it'
  return new OllamaxError(
    'HOST_KEY_UNKNOWN',
    `${describe(record)} is not known yet: it shows the ${kindOf(key)} key ${shown}, and ${why}.${caNote(record)}`,
    {
      suggestions: [
        'compare it with what the machine itself says: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub',
        `if it is the same: ollamax node add ... --host-key ${shown}`,
      ],
      details: {fingerprint: shown, keyType: keyTypeOf(key), host: record.name},
    },
  )
}

function changedError(
  record: HostRecord,
  key: Buffer,
  onRecord: {readonly fingerprint: string; readonly where: string; readonly type?: string},
): OllamaxError {
  const shown = fingerprintOf(key)
  const {fingerprint, where, type} = onRecord
  const suggestions = [
    'find out why before you go on: the machine may have been reinstalled, or someone may be in between',
  ]
  const file = /^(.*):\d+$/.exec(where)?.[1]
  if (file) suggestions.push(`if it was reinstalled: ssh-keygen -R '${record.name}' -f '${file}'`)
  else if (where === 'the cluster file') {
    suggestions.push(
      `if it was reinstalled: put ${shown} as hostKey into the cluster file (ollamax config edit)`,
    )
  }
  return new OllamaxError(
    'HOST_KEY_CHANGED',
    `${describe(record)} shows the ${kindOf(key)} key ${shown}, but ${where} has ${type ? `the ${shortType(type)} key ` : ''}${fingerprint}`,
    {suggestions, details: {fingerprint: shown, expected: fingerprint, onRecord: where}},
  )
}

function revokedError(record: HostRecord, shown: string, revoked: KnownHost): OllamaxError {
  const where = `${revoked.file}:${revoked.line}`
  return new OllamaxError(
    'HOST_KEY_REVOKED',
    `${describe(record)} shows the key ${shown}, which is marked as revoked in ${where}`,
    {
      suggestions: [
        'do not connect: that key is known to be in wrong hands',
        'give the machine new host keys and connect again',
      ],
      details: {fingerprint: shown, onRecord: where},
    },
  )
}

const shortType = (type: string) =>
  type
    .replace(/^ssh-/, '')
    .replace(/^ecdsa-sha2-.*/, 'ecdsa')
    .toUpperCase()
const kindOf = (key: Buffer) => shortType(keyTypeOf(key))

function describe({target, name}: HostRecord): string {
  return name === target.alias ? name : `${target.alias} (${name})`
}

function caNote(record: HostRecord): string {
  const ca = record.known.find((known) => known.marker === 'cert-authority')
  return ca
    ? ` (${ca.file}:${ca.line} trusts a certificate authority for it; host certificates are not supported, only plain keys.)`
    : ''
}
