import type {Ask} from '../../cluster/ask.ts'
import {messageOf} from '../../errors.ts'
import type {Verdict} from './host-certificate.ts'
import {
  certificateNote,
  changedError,
  describe,
  kindOf,
  revokedError,
  uncertifiedError,
  unknownError,
} from './host-key-errors.ts'
import {type HostRecord, hostKeyAlgorithms, typeOf} from './host-record.ts'
import {addKnownHost, fingerprintOf, type KnownHost, keyTypeOf} from './known-hosts.ts'

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

/** What made a host key trusted: a record or a yes about that very key, or an authority's word. */
export type Trust = 'key' | 'authority'

/** Thrown by `judgeHostKey` where the word of an authority is needed and nobody has asked for it yet. */
export class CertificateWanted extends Error {}

/**
 * True where no plain key can decide, since none is on record, and an authority of known_hosts may vouch
 * for the host. A pinned key and a given fingerprint name the only key that will do.
 */
export function wantsCertificate(record: HostRecord, policy: HostKeyPolicy): boolean {
  const plain = [...record.known, ...record.portless].some((it) => it.marker === 'none')
  return mayCertify(record, policy) && !plain
}

function mayCertify(record: HostRecord, {pinned, accept}: HostKeyPolicy): boolean {
  return record.authorities.length > 0 && pinned === undefined && typeof accept !== 'string'
}

/**
 * Decides about the key that a server shows. Resolves if it may be trusted; otherwise throws
 * HOST_KEY_CHANGED, HOST_KEY_REVOKED or HOST_KEY_UNKNOWN. Never says yes where another key is on
 * record, whatever the configuration says, unless an authority vouches for this one. Without a `verdict`
 * about the host's certificate it throws CertificateWanted where that could matter.
 */
export async function judgeHostKey(
  record: HostRecord,
  key: Buffer,
  {policy, verdict}: {readonly policy: HostKeyPolicy; readonly verdict: Verdict | undefined},
): Promise<Trust> {
  const shown = fingerprintOf(key)
  const base64 = key.toString('base64')
  const same = (known: KnownHost) => known.key === base64
  const all = [...record.known, ...record.portless]
  const revoked = all.find((known) => known.marker === 'revoked' && same(known))
  if (revoked) throw revokedError(record, {what: 'the key', fingerprint: shown}, revoked)
  if (policy.pinned !== undefined) {
    if (policy.pinned === shown) return 'key'
    throw changedError(record, key, {fingerprint: policy.pinned, where: 'the cluster file'})
  }
  if (typeof policy.accept === 'string' && policy.accept !== shown) {
    throw changedError(record, key, {fingerprint: policy.accept, where: 'your --host-key'})
  }
  if (record.known.some((known) => known.marker === 'none' && same(known))) return 'key'
  const other = otherOnRecord(record, key)
  const portless = record.portless.some((known) => known.marker === 'none' && same(known))
  if (portless && !other) return 'key'
  if (!verdict && mayCertify(record, policy)) throw new CertificateWanted()
  if (verdict?.kind === 'good') {
    if (verdict.key.equals(key)) return 'authority'
    // Whoever is in between can show the host's own certificate, which is no secret, but not its key.
    throw uncertifiedError(record, key, verdict)
  }
  if (verdict?.kind === 'revoked') {
    const shows = {what: 'a certificate signed by', fingerprint: verdict.shown}
    throw revokedError(record, shows, verdict.revoked)
  }
  if (other) {
    const fingerprint = fingerprintOf(Buffer.from(other.key, 'base64'))
    throw changedError(record, key, {
      fingerprint,
      where: `${other.file}:${other.line}`,
      type: other.type,
      note: certificateNote(verdict),
    })
  }
  await acceptNew(record, key, {policy, verdict})
  return 'key'
}

/** A record of another key that this host could have shown. */
function otherOnRecord(record: HostRecord, key: Buffer): KnownHost | undefined {
  const able = new Set(hostKeyAlgorithms(record).map(typeOf))
  const others = record.known.filter((known) => known.marker === 'none' && able.has(known.type))
  return others.find((known) => known.type === keyTypeOf(key)) ?? others[0]
}

async function acceptNew(
  record: HostRecord,
  key: Buffer,
  {policy, verdict}: {readonly policy: HostKeyPolicy; readonly verdict: Verdict | undefined},
): Promise<void> {
  const {target} = record
  const note = certificateNote(verdict)
  const shown = fingerprintOf(key)
  const strict = target.strictHostKeyChecking
  const given = policy.accept === true || policy.accept === shown
  const byConfig = strict === 'accept-new' || strict === 'no'
  if (given || byConfig) {
    // Nobody is asked here, so this is the only word of it.
    if (note) policy.note?.(`${describe(record)} is taken by its plain key ${shown}.${note}`)
  } else {
    const question = `${describe(record)} is not known yet. It shows the ${kindOf(key)} key ${shown}.${note} Is that right?`
    if (strict === 'yes' || !policy.ask?.interactive) throw unknownError(record, key, verdict)
    if (!(await policy.ask.confirm(question, `--host-key ${shown}`))) {
      throw unknownError(record, key, verdict)
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
