import type {Duplex} from 'node:stream'
import ssh2, {type Client, type ConnectConfig, type ServerHostKeyAlgorithm} from 'ssh2'
import {messageOf, OllamaxError} from '../../errors.ts'
import {abortable, type Deadline, startDeadline} from '../deadline.ts'
import type {SshTarget} from '../target.ts'
import {type Credentials, prepareCredentials} from './auth.ts'
import type {Secrets} from './auth-step.ts'
import {fetchCertificate} from './fetch-certificate.ts'
import {gatherWrites} from './gather-writes.ts'
import {certifiedType, judgeCertificate, type Verdict} from './host-certificate.ts'
import {
  CertificateWanted,
  type HostKeyPolicy,
  judgeHostKey,
  type Trust,
  wantsCertificate,
} from './host-key.ts'
import {
  certificateAlgorithms,
  type HostRecord,
  hostKeyAlgorithms,
  readHostRecord,
  typeOf,
} from './host-record.ts'
import {fingerprintOf, keyTypeOf} from './known-hosts.ts'
import {canBeLent, LentLogins, type Login} from './lend-login.ts'
import {at, notSsh, openStream, type Route} from './route.ts'

export interface HopOptions extends HostKeyPolicy, Route {
  readonly secrets?: Secrets | undefined
  readonly signal?: AbortSignal | undefined
}

/** An authenticated connection to one machine. */
export interface Hop {
  readonly client: Client
  /** What it speaks over. */
  readonly stream: Duplex
  /** Fingerprint of the key that was accepted. */
  readonly hostKey: string
  /** What made it so. */
  readonly trust: Trust
  /** How another machine could log in there in our name; absent where only a password or the like was taken. */
  readonly login?: Login
  /** What this machine may log in to in our name, and when. */
  readonly lent: LentLogins
}

const AUTH_MS = 30_000
/** sshd drops connections at random while many are about to log in (MaxStartups). */
const DROPPED_TRIES = 4

/**
 * Connects to one machine, checks its host key and logs in. The time limit is ConnectTimeout for the
 * way up to the host key and half a minute for the rest; it stands still while a person is asked.
 */
export async function connectHop(target: SshTarget, options: HopOptions): Promise<Hop> {
  const deadline = startDeadline(
    target.connectTimeoutMs,
    options.signal,
    () =>
      new OllamaxError('SSH_UNREACHABLE', `${at(target)} did not answer in time`, {
        suggestions: ['is the machine on, the port right, and no firewall in between?'],
        details: {reason: 'timeout'},
      }),
  )
  try {
    return await attempts(target, options, deadline)
  } finally {
    deadline.clear()
  }
}

async function attempts(target: SshTarget, options: HopOptions, deadline: Deadline): Promise<Hop> {
  const refusedTypes: string[] = []
  let mismatch: unknown
  let wanted = false
  let verdict: Verdict | undefined
  for (let dropped = 0; ; ) {
    try {
      const record = await readHostRecord(target)
      wanted ||= wantsCertificate(record, options)
      if (wanted) verdict ??= await certify(record, options, deadline.signal)
      return await attempt(record, options, {deadline, refusedTypes, verdict})
    } catch (error) {
      if (error instanceof Mismatch) {
        mismatch ??= error.cause
        refusedTypes.push(error.keyType)
        continue
      }
      if (mismatch && showsNoOther(error)) throw mismatch
      if (error instanceof CertificateWanted && !wanted) {
        wanted = true
        continue
      }
      if (!(error instanceof Dropped)) throw error
      if (++dropped >= DROPPED_TRIES) throw error.cause
      const pauseMs = 100 * 2 ** dropped * (0.5 + Math.random())
      await abortable(deadline.signal, new Promise((resolve) => setTimeout(resolve, pauseMs)))
    }
  }
}

/**
 * Asks the machine for its certificate, over a stream of its own, and judges it. Before the connection
 * and not beside it: a server may allow only one that has not logged in yet (MaxStartups).
 */
async function certify(
  record: HostRecord,
  options: HopOptions,
  signal: AbortSignal,
): Promise<Verdict | undefined> {
  const {target, known, portless, bareName, authorities} = record
  const [first, ...others] = authorities
  if (!first) return undefined
  const stream = await openStream(target, options, signal)
  const fetched = await fetchCertificate(stream, certificateAlgorithms(record), signal)
  if (fetched.kind === 'dropped') throw new Dropped('dropped', {cause: notSsh(target, undefined)})
  return judgeCertificate(fetched, {
    name: bareName,
    authorities: [first, ...others],
    revoked: [...known, ...portless].filter((line) => line.marker === 'revoked'),
    algorithms: target.caSignatureAlgorithms,
    nowMs: Date.now(),
  })
}

/** The server hung up before it said anything. */
class Dropped extends Error {}
/** The key shown is not the one of the fingerprint that is wanted. */
class Mismatch extends Error {
  readonly keyType: string
  constructor(key: Buffer, cause: unknown) {
    super('another key', {cause})
    this.keyType = keyTypeOf(key)
  }
}

/** A fingerprint does not tell its key's type, and a server has several keys: it may be another one. */
function mayHaveAnother(policy: HostKeyPolicy, error: unknown): boolean {
  const exact = policy.pinned !== undefined || typeof policy.accept === 'string'
  return exact && OllamaxError.is(error, 'HOST_KEY_CHANGED')
}

/** No key type is left that has not been shown yet. */
class NoneLeft extends Error {}

/** True for what says that the server has no other key; all else has reasons of its own. */
function showsNoOther(error: unknown): boolean {
  const unmet = OllamaxError.is(error, 'SSH_UNREACHABLE') && error.details?.reason === 'handshake'
  return unmet || error instanceof NoneLeft
}

interface Attempt {
  readonly deadline: Deadline
  readonly refusedTypes: readonly string[]
  readonly verdict: Verdict | undefined
}

async function attempt(record: HostRecord, options: HopOptions, attempt: Attempt): Promise<Hop> {
  const {deadline, refusedTypes, verdict} = attempt
  const {target} = record
  const algorithms = hostKeyAlgorithms(record, certifiedType(verdict)).filter(
    (name) => !refusedTypes.includes(typeOf(name)),
  )
  if (algorithms.length === 0) throw new NoneLeft('no key type is left to ask for')
  const failure = Promise.withResolvers<never>()
  failure.promise.catch(() => {})
  const auth = startDeadline(AUTH_MS + target.connectTimeoutMs, options.signal, () =>
    slowAuth(target),
  )
  const both: Deadline = {
    signal: auth.signal,
    paused: (work) => deadline.paused(() => auth.paused(work)),
    clear: () => {},
  }
  const client = new ssh2.Client()
  const story: Story = {phase: 'banner', hostKey: '', trust: 'key'}
  let stream: Duplex | undefined
  try {
    // Before the stream: a server may hang up at once, and then somebody must be listening already.
    const {env, secrets, ask} = options
    const fail = failure.reject
    const means = {env, secrets, ask, target, deadline: both, fail}
    const credentials = await prepareCredentials(means)
    stream = await openStream(target, options, deadline.signal)
    // ssh2 listens only while it is connected; a late error of a stream given up is nobody's.
    stream.on('error', () => {})
    gatherWrites(stream)
    const ready = handshake(client, {target, story, credentials})
    client.once('handshake', () => {
      story.phase = 'login'
      deadline.clear()
    })
    const lent = new LentLogins()
    client.connect({
      ...settingsOf(target, algorithms),
      agent: lent,
      sock: stream,
      authHandler: credentials.handler,
      hostVerifier: verifier({record, verdict, options, story, fail, deadline: both}),
    })
    const early = abortable(deadline.signal, Promise.race([ready, failure.promise]))
    await abortable(auth.signal, early)
    const login = loginOf(target, story, {credentials, stream})
    const {hostKey, trust} = story
    return {client, stream, hostKey, trust, lent, ...(login ? {login} : {})}
  } catch (error) {
    client.on('error', () => {})
    client.destroy()
    stream?.destroy()
    throw error
  } finally {
    auth.clear()
  }
}

function settingsOf(target: SshTarget, algorithms: readonly string[]): ConnectConfig {
  return {
    username: target.user,
    algorithms: {serverHostKey: algorithms as ServerHostKeyAlgorithm[]},
    // The time is kept here, since it has to stand still while a person is asked.
    readyTimeout: 0,
    keepaliveInterval: target.aliveIntervalMs,
    keepaliveCountMax: target.aliveCountMax,
  }
}

interface Judging {
  readonly record: HostRecord
  readonly verdict: Verdict | undefined
  readonly options: HopOptions
  readonly story: Story
  readonly fail: (error: unknown) => void
  readonly deadline: Deadline
}

function verifier({record, verdict, options, story, fail, deadline}: Judging) {
  let trusted: Buffer | undefined
  return (key: Buffer, verify: (ok: boolean) => void): void => {
    // Asked again whenever the server changes keys on the way: by then the answer is known, and another
    // host key in the same connection is never right.
    if (trusted) return void setImmediate(verify, trusted.equals(key))
    story.phase = 'host key'
    story.hostKey = fingerprintOf(key)
    const judged = deadline.paused(() => judgeHostKey(record, key, {policy: options, verdict}))
    judged.then(
      (trust) => {
        story.trust = trust
        story.hostKeyBytes = Buffer.from(key)
        trusted = Buffer.from(key)
        verify(true)
      },
      (error) => {
        fail(mayHaveAnother(options, error) ? new Mismatch(key, error) : error)
        verify(false)
      },
    )
  }
}

/** How far one attempt has come, for the words of its failure. */
interface Story {
  phase: 'banner' | 'host key' | 'login'
  hostKey: string
  hostKeyBytes?: Buffer
  trust: Trust
}

function loginOf(
  target: SshTarget,
  story: Story,
  {credentials, stream}: {readonly credentials: Credentials; readonly stream: Duplex},
): Login | undefined {
  const signer = credentials.signer()
  if (!signer || !story.hostKeyBytes || !canBeLent(signer.key)) return undefined
  const {user, port} = target
  // The name may be one of our own files; the address that answered is the same for all in one network.
  const {remoteAddress: host = target.host} = stream as Duplex & {remoteAddress?: string}
  const {hostKey, hostKeyBytes} = story
  const hostKeyLine = `${keyTypeOf(hostKeyBytes)} ${hostKeyBytes.toString('base64')}`
  return {user, host, port, hostKey, hostKeyLine, signer}
}

function handshake(
  client: Client,
  about: {target: SshTarget; story: Story; credentials: Credentials},
): Promise<void> {
  const {target, story, credentials} = about
  return new Promise((resolve, reject) => {
    let reason: (Error & {level?: string}) | undefined
    const translate = () => {
      if (story.phase === 'login') {
        return reason === undefined || reason.level === 'client-socket'
          ? lostInLogin(target, reason)
          : credentials.denied(reason)
      }
      const cut = reason === undefined || reason.level === 'client-socket'
      if (story.phase === 'banner' && (cut || /before handshake/.test(reason?.message ?? ''))) {
        return new Dropped('dropped', {cause: notSsh(target, reason)})
      }
      return badHandshake(target, reason)
    }
    client.once('ready', resolve)
    client.on('error', (error: Error & {level?: string}) => {
      // A key that could not sign; ssh2 goes on with the next one.
      if (error.level === 'agent') return
      reason ??= error
      // Let a refusal of our own (the host key) be heard before ssh2's words for it.
      setImmediate(() => reject(translate()))
    })
    client.once('close', () => setImmediate(() => reject(translate())))
  })
}

function badHandshake(target: SshTarget, cause: unknown): OllamaxError {
  return new OllamaxError(
    'SSH_UNREACHABLE',
    `${at(target)} and we found no common way to speak SSH: ${messageOf(cause)}`,
    {
      suggestions: ['is that the port of its SSH server, and is that server not very old?'],
      cause,
      details: {reason: 'handshake'},
    },
  )
}

function lostInLogin(target: SshTarget, cause: unknown): OllamaxError {
  return new OllamaxError('SSH_UNREACHABLE', `${at(target)} hung up during the login`, {
    suggestions: ['its journal says why: journalctl -u ssh'],
    cause,
    details: {reason: 'login'},
  })
}

function slowAuth(target: SshTarget): OllamaxError {
  return new OllamaxError('SSH_UNREACHABLE', `${at(target)} did not finish the login in time`, {
    suggestions: ['a slow directory service or DNS there may be the cause (UseDNS no)'],
    details: {reason: 'timeout'},
  })
}
