import {execFile} from 'node:child_process'
import {hostname, userInfo} from 'node:os'
import {OllamaxError} from '../errors.ts'

/** A machine to connect to, with everything that ssh_config says about it. */
export interface SshTarget {
  /** As the user named it, for messages. */
  readonly target: string
  /** The host part of it: what `Host` patterns were matched with. */
  readonly alias: string
  /** Where to connect (HostName). */
  readonly host: string
  readonly port: number
  readonly user: string
  /** Absolute paths in the order to try. */
  readonly identityFiles: readonly string[]
  /** True where the files were named in the configuration, not OpenSSH's defaults. */
  readonly identitiesExplicit: boolean
  readonly identitiesOnly: boolean
  readonly certificateFiles: readonly string[]
  /** Socket of the agent; undefined = no agent. */
  readonly identityAgent: string | undefined
  /** Machines to go through, nearest to us first. */
  readonly jumps: readonly SshTarget[]
  /** Command that connects, tokens expanded. */
  readonly proxyCommand: string | undefined
  readonly connectTimeoutMs: number
  readonly aliveIntervalMs: number
  readonly aliveCountMax: number
  readonly strictHostKeyChecking: 'yes' | 'accept-new' | 'ask' | 'no'
  readonly hostKeyAlias: string | undefined
  /** Algorithms in order of preference; empty = our own order. */
  readonly hostKeyAlgorithms: readonly string[]
  /** Algorithms that a host certificate may be signed with; empty = our own list. */
  readonly caSignatureAlgorithms: readonly string[]
  readonly hashKnownHosts: boolean
  /** Files to look in; the first is the one that new keys are added to. */
  readonly userKnownHosts: readonly string[]
  readonly globalKnownHosts: readonly string[]
  /** `publickey`, `keyboard-interactive`, `password`: those allowed, in order. */
  readonly authMethods: readonly string[]
  /** 4, 6, or 0 for both. */
  readonly addressFamily: 0 | 4 | 6
  readonly bindAddress: string | undefined
}

export interface ResolveOptions {
  readonly env: Readonly<NodeJS.ProcessEnv>
  readonly signal?: AbortSignal
}

/** The parts of `[user@]host[:port]` or `ssh://[user@]host[:port]`. */
export interface Destination {
  readonly user?: string
  readonly host: string
  readonly port?: number
}

/** Settings of ssh_config as `ssh -G` lists them: lower-case keyword, values in order. */
export type Settings = ReadonlyMap<string, readonly string[]>

const MAX_HOPS = 8
const METHODS = ['publickey', 'keyboard-interactive', 'password']
const DEFAULT_KEY = /\/\.ssh\/id_(rsa|ecdsa|ecdsa_sk|ed25519|ed25519_sk|xmss|dsa)$/

/** Splits a target; BAD_INPUT for what no host name can be, above all what a shell would interpret. */
export function parseDestination(text: string): Destination {
  const bad = (why: string) =>
    new OllamaxError('BAD_INPUT', `"${text}" is not an SSH target: ${why}`, {
      suggestions: ['name it as user@host, user@host:port, or an alias of your ssh_config'],
    })
  let rest = text.replace(/^ssh:\/\//, '')
  if (rest !== text) rest = rest.replace(/\/$/, '')
  const at = rest.lastIndexOf('@')
  const user = at < 0 ? undefined : rest.slice(0, at)
  let host = rest.slice(at + 1)
  let port: number | undefined
  const bracketed = /^\[([^\]]*)\](?::([^:]*))?$/.exec(host)
  const plain = /^([^:]*):([^:]*)$/.exec(host)
  const digits = (bracketed ?? plain)?.[2]
  if (bracketed ?? plain) host = (bracketed ?? plain)?.[1] ?? ''
  if (digits !== undefined) {
    port = Number(digits)
    if (!/^\d+$/.test(digits) || port < 1 || port > 65_535) throw bad(`"${digits}" is not a port`)
  }
  if (host === '') throw bad('the host is missing')
  if (host.startsWith('-')) throw bad('a host cannot begin with "-"')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  if (/[\s\u0000-\u001f\u007f'"`$\\;&<>|(){}]/.test(host)) throw bad('the host has odd characters')
  if (user !== undefined) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
    const odd = /[\u0000-\u001f\u007f'"`;&<>|(){}]|\\$|^-/.test(user)
    if (user === '' || odd) throw bad('the user name is empty or has odd characters')
  }
  return {host, ...(user === undefined ? {} : {user}), ...(port === undefined ? {} : {port})}
}

/**
 * Finds out how `ssh` itself would connect to `target`, with every machine to jump over. Asks
 * OpenSSH's own `ssh -G`; where that is not installed, the configuration files are read by us.
 * OLLAMAX_SSH_CONFIG names the file to use instead of the usual two, as `ssh -F` does.
 */
export async function resolveTarget(target: string, options: ResolveOptions): Promise<SshTarget> {
  return resolveHop(target, options, 0)
}

async function resolveHop(
  text: string,
  options: ResolveOptions,
  depth: number,
): Promise<SshTarget> {
  if (depth >= MAX_HOPS) {
    throw new OllamaxError('BAD_INPUT', `ProxyJump of "${text}" goes over too many machines`, {
      suggestions: ['look for a circle in your ssh_config: ssh -G <host> | grep -i proxyjump'],
    })
  }
  const destination = parseDestination(text)
  const settings = await settingsFor(destination, options)
  const found = interpret(text, destination, settings, options.env)
  const spec = settings.get('proxyjump')?.join(' ') ?? 'none'
  if (spec === 'none') return found
  const names = spec.split(',').map((name) => name.trim())
  const jumps: SshTarget[] = []
  for (const [at, name] of names.entries()) {
    const hop = await resolveHop(name, options, depth + 1)
    // Only the first of a list may bring a way of its own: those named before it are the way to the rest.
    if (at === 0) jumps.push(...hop.jumps, {...hop, jumps: []})
    else jumps.push({...hop, jumps: [], proxyCommand: undefined})
  }
  return {...found, jumps, proxyCommand: undefined}
}

async function settingsFor(to: Destination, options: ResolveOptions): Promise<Settings> {
  const file = options.env.OLLAMAX_SSH_CONFIG
  const args = ['-G', ...(file ? ['-F', file] : [])]
  if (to.user !== undefined) args.push('-l', to.user)
  if (to.port !== undefined) args.push('-p', String(to.port))
  const listing = await new Promise<string | undefined>((resolve, reject) => {
    const signal = options.signal
    execFile(
      'ssh',
      [...args, '--', to.host],
      {encoding: 'utf8', timeout: 20_000, env: options.env, ...(signal ? {signal} : {})},
      (error, stdout, stderr) => {
        if (!error) resolve(stdout)
        else if (error.code === 'ENOENT') resolve(undefined)
        else if (signal?.aborted) reject(signal.reason)
        else reject(badConfig(to.host, stderr.trim() || error.message))
      },
    ).stdin?.end()
  })
  if (listing !== undefined) return parseListing(listing)
  const {readSettings} = await import('./ssh-config.ts')
  return readSettings(to, {env: options.env, ...(file ? {file} : {})})
}

function badConfig(host: string, why: string): OllamaxError {
  return new OllamaxError('BAD_INPUT', `ssh cannot make sense of "${host}": ${why}`, {
    suggestions: [`see what it says itself: ssh -G ${host}`],
  })
}

/** Reads what `ssh -G` prints: one `keyword value` per line, a keyword may repeat. */
export function parseListing(text: string): Settings {
  const settings = new Map<string, string[]>()
  for (const line of text.split(/\r?\n/)) {
    const cut = line.indexOf(' ')
    if (cut < 0) continue
    const key = line.slice(0, cut).toLowerCase()
    const values = settings.get(key)
    if (values) values.push(line.slice(cut + 1))
    else settings.set(key, [line.slice(cut + 1)])
  }
  return settings
}

function interpret(
  target: string,
  to: Destination,
  settings: Settings,
  env: Readonly<NodeJS.ProcessEnv>,
): SshTarget {
  const one = (key: string) => settings.get(key)?.[0]
  const set = (key: string) => {
    const value = one(key)
    return value === undefined || value === 'none' ? undefined : value
  }
  const flag = (key: string, otherwise: boolean) =>
    one(key) === undefined ? otherwise : /^(yes|true)$/.test(one(key) ?? '')
  const number = (key: string, otherwise: number) => {
    const value = Number(one(key) ?? Number.NaN)
    return Number.isFinite(value) && value > 0 ? value : otherwise
  }
  const me = whoAmI(env)
  const host = one('hostname') ?? to.host
  const port = number('port', 22)
  const user = one('user') ?? me.user
  const expand = (text: string) =>
    expandTokens(text, {
      alias: to.host,
      host,
      port,
      user,
      me,
      env,
      hostKeyAlias: set('hostkeyalias'),
    })
  const identities = settings.get('identityfile')?.filter((file) => file !== 'none') ?? []
  const strict = one('stricthostkeychecking') ?? 'ask'
  const hashed = settings.get('userknownhostsfile')?.join(' ') ?? '~/.ssh/known_hosts'
  const preferred = set('preferredauthentications')?.split(',') ?? METHODS
  const allowed: Readonly<Record<string, boolean>> = {
    publickey: one('pubkeyauthentication') !== 'false' && one('pubkeyauthentication') !== 'no',
    'keyboard-interactive': flag('kbdinteractiveauthentication', true),
    password: flag('passwordauthentication', true),
  }
  return {
    target,
    alias: to.host,
    host,
    port,
    user,
    identityFiles: identities.map(expand),
    identitiesExplicit: identities.some((file) => !DEFAULT_KEY.test(expand(file))),
    identitiesOnly: flag('identitiesonly', false),
    certificateFiles: (settings.get('certificatefile') ?? [])
      .filter((file) => file !== 'none')
      .map(expand),
    identityAgent: agentSocket(one('identityagent'), env, expand),
    jumps: [],
    proxyCommand: set('proxycommand') === undefined ? undefined : expand(set('proxycommand') ?? ''),
    connectTimeoutMs: number('connecttimeout', 15) * 1000,
    aliveIntervalMs: number('serveraliveinterval', 15) * 1000,
    aliveCountMax: number('serveralivecountmax', 3),
    strictHostKeyChecking:
      strict === 'yes' || strict === 'true'
        ? 'yes'
        : strict === 'accept-new'
          ? 'accept-new'
          : strict === 'ask'
            ? 'ask'
            : 'no',
    hostKeyAlias: set('hostkeyalias'),
    hostKeyAlgorithms: plainList(set('hostkeyalgorithms')),
    caSignatureAlgorithms: plainList(set('casignaturealgorithms')),
    hashKnownHosts: flag('hashknownhosts', false),
    userKnownHosts: hashed === 'none' ? [] : words(hashed).map(expand),
    globalKnownHosts: words(settings.get('globalknownhostsfile')?.join(' ') ?? '')
      .filter((file) => file !== 'none')
      .map(expand),
    authMethods: preferred.filter((method) => allowed[method] === true),
    addressFamily: one('addressfamily') === 'inet' ? 4 : one('addressfamily') === 'inet6' ? 6 : 0,
    bindAddress: set('bindaddress'),
  }
}

/** The names of a list; empty for what is only a change of OpenSSH's defaults (+, -, ^), which are not known here. */
function plainList(list: string | undefined): readonly string[] {
  return list === undefined || /^[+^-]/.test(list) ? [] : list.split(',')
}

function agentSocket(
  wanted: string | undefined,
  env: Readonly<NodeJS.ProcessEnv>,
  expand: (text: string) => string,
): string | undefined {
  if (wanted === 'none') return undefined
  const name = wanted === undefined || wanted === 'SSH_AUTH_SOCK' ? '$SSH_AUTH_SOCK' : wanted
  const path = name.startsWith('$') && !name.startsWith('${') ? env[name.slice(1)] : expand(name)
  return path === '' ? undefined : path
}

/** The user as ssh sees him: by the account database, not by HOME, which it does not look at. */
function whoAmI(env: Readonly<NodeJS.ProcessEnv>): {user: string; home: string; uid: number} {
  try {
    const {username, homedir, uid} = userInfo()
    return {user: username, home: homedir, uid}
  } catch {
    return {user: env.USER ?? '', home: env.HOME ?? '/', uid: -1}
  }
}

interface TokenValues {
  readonly alias: string
  readonly host: string
  readonly port: number
  readonly user: string
  readonly hostKeyAlias: string | undefined
  readonly me: {readonly user: string; readonly home: string; readonly uid: number}
  readonly env: Readonly<NodeJS.ProcessEnv>
}

function expandTokens(text: string, values: TokenValues): string {
  const {me} = values
  const known: Readonly<Record<string, string>> = {
    '%': '%',
    d: me.home,
    h: values.host,
    i: String(me.uid),
    k: values.hostKeyAlias ?? values.alias,
    l: hostname(),
    L: hostname().split('.')[0] ?? '',
    n: values.alias,
    p: String(values.port),
    r: values.user,
    u: me.user,
  }
  return text
    .replace(/^~(?=\/|$)/, me.home)
    .replace(/\$\{(\w+)\}/g, (_, name: string) => values.env[name] ?? '')
    .replace(/%(.)/g, (whole, letter: string) => known[letter] ?? whole)
}

/** Splits at blanks; a double-quoted part stays together. */
function words(text: string): string[] {
  return [...text.matchAll(/"([^"]*)"|(\S+)/g)].map((match) => match[1] ?? match[2] ?? '')
}
