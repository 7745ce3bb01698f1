import {readFile, stat} from 'node:fs/promises'
import ssh2, {
  type AnyAuthMethod,
  type AuthHandlerMiddleware,
  type ParsedKey,
  type SignCallback,
  type SigningRequestOptions,
} from 'ssh2'
import {isAbort, messageOf, OllamaxError} from '../../errors.ts'
import type {SshTarget} from '../target.ts'
import type {AuthOptions, Step} from './auth-step.ts'
import {fingerprintOf} from './known-hosts.ts'
import type {Signer} from './lend-login.ts'
import {givenPassword, talkSteps} from './talk.ts'

/** The credentials of one connection attempt, and the story of what became of them. */
export interface Credentials {
  readonly handler: AuthHandlerMiddleware
  /** The key that was offered last: once the login has succeeded, the one that it was made with. */
  signer(): Signer | undefined
  /** The error to show after the server's last no. */
  denied(cause?: unknown): OllamaxError
}

/**
 * Gets ready to log in: keys first those that the configuration names (servers count every offer, and
 * most hang up after six), then the agent's others, then what needs a question. Locked keys are offered
 * by their public half, so a passphrase is only asked for once the server wants that key.
 */
export async function prepareCredentials(options: AuthOptions): Promise<Credentials> {
  const {target} = options
  const story: Story = {
    tried: [],
    notes: [],
    offered: undefined,
    signed: false,
    signer: undefined,
  }
  const keys = target.authMethods.includes('publickey') ? await keySteps(options, story) : []
  const steps = methodsInTurn(options).flatMap((method) =>
    method === 'publickey' ? keys : [...talkSteps(method, options)],
  )
  let first = true
  const handler: AuthHandlerMiddleware = (left, _partial, next) => {
    if (left) story.offered = left
    // A signature that did not end it: refused, or only half of what is wanted. ssh2 does not say which
    // after an agent's key, so the server is asked for its list again.
    if (first || story.signed) {
      first = false
      story.signed = false
      next({type: 'none', username: target.user})
      return
    }
    nextStep(steps, left, story).then(
      // ssh2 knows `false` as "no more"; its types do not.
      (auth) => next(auth ?? (false as unknown as AnyAuthMethod)),
      options.fail,
    )
  }
  return {
    handler,
    signer: () => story.signer,
    denied: (cause) => deniedError(options, story, cause),
  }
}

/**
 * The methods that the configuration allows, in its order; but a password that is given goes by the plain
 * method first, where no question has to be guessed at.
 */
function methodsInTurn(options: AuthOptions): readonly string[] {
  const methods = options.target.authMethods
  if (givenPassword(options) === undefined || !methods.includes('password')) return methods
  const rest = methods.filter((method) => method !== 'password')
  const at = rest.indexOf('keyboard-interactive')
  return at < 0 ? methods : rest.toSpliced(at, 0, 'password')
}

interface Story {
  readonly tried: string[]
  readonly notes: string[]
  offered: readonly string[] | undefined
  signed: boolean
  signer: Signer | undefined
}

async function nextStep(
  steps: Step[],
  left: readonly string[] | null,
  story: Story,
): Promise<AnyAuthMethod | undefined> {
  for (;;) {
    const at = steps.findIndex((step) => left === null || left.includes(step.method))
    const step = steps.splice(at, 1)[0]
    if (at < 0 || !step) return undefined
    try {
      story.signer = undefined
      const auth = await step.make()
      if (!auth) continue
      story.tried.push(step.label)
      return auth
    } catch (error) {
      if (isAbort(error)) throw error
      story.notes.push(messageOf(error))
    }
  }
}

interface KeyFile {
  readonly path: string
  readonly pub: ParsedKey | undefined
  /** Present if it needs no passphrase. */
  readonly open: ParsedKey | undefined
  readonly pem: Buffer | undefined
}

async function keySteps(options: AuthOptions, story: Story): Promise<Step[]> {
  const {target} = options
  const [files, agent] = await Promise.all([
    Promise.all(target.identityFiles.map((path) => readKeyFile(path, target, story))),
    readAgent(target, story),
  ])
  const present = files.filter((file) => file !== undefined)
  const isListed = (key: ParsedKey) => present.some((file) => file.pub && samePublic(file.pub, key))
  const inAgent = (file: KeyFile) =>
    file.pub && agent.keys.some((key) => file.pub && samePublic(file.pub, key))
  const agentStep = (key: ParsedKey): Step => ({
    method: 'publickey',
    label: `agent key ${fingerprintOf(key.getPublicSSH())}${key.comment ? ` (${key.comment})` : ''}`,
    make: async () => offer(options, key, story, (data, how) => agent.sign(key, data, how)),
  })
  const fileStep = (file: KeyFile): Step => ({
    method: 'publickey',
    label: file.path,
    make: async () => offerFile(file, options, story),
  })
  const listed = agent.keys.filter(isListed).map(agentStep)
  const others = target.identitiesOnly ? [] : agent.keys.filter((k) => !isListed(k)).map(agentStep)
  const own = present.filter((file) => !inAgent(file))
  const open = own.filter((file) => file.open).map(fileStep)
  const locked = own.filter((file) => !file.open && file.pem).map(fileStep)
  return target.identitiesExplicit
    ? [...listed, ...open, ...locked, ...others]
    : [...listed, ...others, ...open, ...locked]
}

/** One public key behind a signer that is only called once the server wants that key. */
function offer(
  options: AuthOptions,
  key: ParsedKey,
  story: Story,
  sign: (data: Buffer, options: SigningRequestOptions) => Promise<Buffer>,
): AnyAuthMethod {
  story.signer = {
    key,
    sign: (data, hash) => sign(data, hash === undefined ? {} : ({hash} as SigningRequestOptions)),
  }
  class OneKey extends ssh2.BaseAgent<ParsedKey> {
    getIdentities(cb: (error?: Error | null, keys?: ParsedKey[]) => void): void {
      cb(null, [key])
    }
    sign(_: ParsedKey, data: Buffer, how: SigningRequestOptions | SignCallback, cb?: SignCallback) {
      const done = typeof how === 'function' ? how : cb
      story.signed = true
      sign(data, typeof how === 'function' ? {} : how).then(
        (signature) => done?.(null, signature),
        (error) => {
          if (isAbort(error)) return options.fail(error)
          story.notes.push(messageOf(error))
          done?.(error)
        },
      )
    }
  }
  return {type: 'agent', username: options.target.user, agent: new OneKey()}
}

async function offerFile(
  file: KeyFile,
  options: AuthOptions,
  story: Story,
): Promise<AnyAuthMethod | undefined> {
  const username = options.target.user
  if (file.open) {
    const key = file.open
    story.signer = {key, sign: async (data, hash) => signBy(key, data, hash)}
    return {type: 'publickey', username, key}
  }
  if (!file.pub) return {type: 'publickey', username, key: await unlock(file, options)}
  return offer(options, file.pub, story, async (data, how) => {
    const key = await unlock(file, options)
    return signBy(key, data, how.hash)
  })
}

function signBy(key: ParsedKey, data: Buffer, hash: string | undefined): Buffer {
  const signed: Buffer | Error = key.sign(data, hash)
  if (signed instanceof Error) throw signed
  return signed
}

/** Opens a locked key by the caller's, the environment's or the user's passphrase (three tries). */
async function unlock(file: KeyFile, options: AuthOptions): Promise<ParsedKey> {
  const pem = file.pem ?? Buffer.alloc(0)
  const given = options.secrets?.passphrase ?? options.env.OLLAMAX_SSH_PASSPHRASE
  if (given !== undefined) {
    const key = ssh2.utils.parseKey(pem, given)
    if (!(key instanceof Error)) return key
    if (!options.ask?.interactive)
      throw new Error(`the passphrase given does not open ${file.path}`)
  }
  if (!options.ask?.interactive) {
    throw new Error(`${file.path} needs a passphrase (OLLAMAX_SSH_PASSPHRASE, or ssh-add it)`)
  }
  for (let left = 3; left > 0; left--) {
    const ask = options.ask
    const answer = await options.deadline.paused(() =>
      ask.secret(`Passphrase of ${file.path}`, 'OLLAMAX_SSH_PASSPHRASE'),
    )
    const key = ssh2.utils.parseKey(pem, answer)
    if (!(key instanceof Error)) return key
  }
  throw new Error(`no passphrase given opens ${file.path}`)
}

async function readKeyFile(
  path: string,
  target: SshTarget,
  story: Story,
): Promise<KeyFile | undefined> {
  let pem: Buffer
  try {
    pem = await readFile(path)
    const {mode, uid} = await stat(path)
    const isPrivate = pem.includes('PRIVATE KEY')
    if (isPrivate && process.getuid?.() === uid && (mode & 0o077) !== 0) {
      story.notes.push(`${path} is open to others (chmod 600 ${path})`)
      return undefined
    }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (target.identitiesExplicit || code !== 'ENOENT') {
      story.notes.push(`${path} cannot be read (${code})`)
    }
    return undefined
  }
  const beside = await readFile(`${path}.pub`).catch(() => undefined)
  const pub = beside && parse(beside)
  const key = parse(pem)
  if (key?.isPrivateKey()) return {path, pub: key, open: key, pem}
  if (key) return {path, pub: key, open: undefined, pem: undefined}
  const why: unknown = ssh2.utils.parseKey(pem)
  if (why instanceof Error && /encrypted|passphrase/i.test(why.message)) {
    return {path, pub: pub || undefined, open: undefined, pem}
  }
  story.notes.push(`${path} is no key that can be used (${messageOf(why)})`)
  return undefined
}

function parse(data: Buffer): ParsedKey | undefined {
  const key: ParsedKey | Error | Array<ParsedKey> = ssh2.utils.parseKey(data)
  return key instanceof Error ? undefined : Array.isArray(key) ? key[0] : key
}

const samePublic = (a: ParsedKey, b: ParsedKey) => a.getPublicSSH().equals(b.getPublicSSH())

interface AgentKeys {
  readonly keys: readonly ParsedKey[]
  sign(key: ParsedKey, data: Buffer, options: SigningRequestOptions): Promise<Buffer>
}

async function readAgent(target: SshTarget, story: Story): Promise<AgentKeys> {
  const none = {keys: [], sign: () => Promise.reject(new Error('no agent'))}
  if (target.identityAgent === undefined) return none
  const agent = ssh2.createAgent(target.identityAgent)
  const keys = await new Promise<ParsedKey[]>((resolve) => {
    // An agent may wait for its own user (a card, a locked keyring): it is no reason to wait for ever.
    const timer = setTimeout(() => done(new Error('no answer in 5 s')), 5000)
    const done = (error?: Error | null, list?: readonly unknown[]) => {
      clearTimeout(timer)
      if (error) story.notes.push(`agent ${target.identityAgent}: ${error.message}`)
      resolve((list ?? []) as ParsedKey[])
    }
    agent.getIdentities(done)
  })
  return {
    keys,
    sign: (key, data, options) =>
      new Promise((resolve, reject) => {
        agent.sign(key, data, options, (error, signature) => {
          if (error || !signature) reject(error ?? new Error('the agent signed nothing'))
          else resolve(Buffer.from(signature))
        })
      }),
  }
}

function deniedError(options: AuthOptions, story: Story, cause: unknown): OllamaxError {
  const {target} = options
  const {tried, notes, offered} = story
  const tooMany = /too many authentication failures/i.test(messageOf(cause))
  const why = [
    tooMany ? 'it hung up after too many tries' : undefined,
    offered && `it takes ${offered.join(', ')}`,
    `tried ${tried.length > 0 ? tried.join(', ') : 'nothing: there was nothing to offer'}`,
    ...new Set(notes),
  ]
  const suggestions = []
  if (tooMany) {
    suggestions.push('name the right key: IdentityFile and "IdentitiesOnly yes" in your ssh_config')
  }
  if (offered?.includes('publickey') ?? true) {
    suggestions.push(
      `let your key in there: ssh-copy-id -p ${target.port} ${target.user}@${target.host}`,
    )
  }
  if (offered?.some((name) => name === 'password' || name === 'keyboard-interactive')) {
    suggestions.push(
      'or run it on a terminal to be asked for the password, or set OLLAMAX_SSH_PASSWORD',
    )
  }
  if (target.certificateFiles.length > 0) {
    suggestions.push('user certificates (CertificateFile) are not supported: a plain key is needed')
  }
  return new OllamaxError(
    'SSH_DENIED',
    `${target.user}@${target.alias}:${target.port} did not let us in: ${why.filter(Boolean).join('; ')}`,
    {suggestions, cause, details: {offered: offered ?? [], tried}},
  )
}
