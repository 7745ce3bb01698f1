import {glob, readFile} from 'node:fs/promises'
import {homedir, userInfo} from 'node:os'
import {isAbsolute, join} from 'node:path'
import SSHConfig, {LineType} from 'ssh-config'
import {messageOf, OllamaxError} from '../errors.ts'
import {globMatches} from './connect/known-hosts.ts'
import type {Destination, Settings} from './target.ts'

export interface ReadOptions {
  readonly env: Readonly<NodeJS.ProcessEnv>
  /** Read this file alone instead of the user's and the system's. */
  readonly file?: string
}

const MANY = new Set(['identityfile', 'certificatefile'])
const MAX_DEPTH = 16
const KEYS = ['rsa', 'ecdsa', 'ecdsa_sk', 'ed25519', 'ed25519_sk']
const DEFAULTS: Readonly<Record<string, readonly string[]>> = {
  identityfile: KEYS.map((name) => `~/.ssh/id_${name}`),
  userknownhostsfile: ['~/.ssh/known_hosts ~/.ssh/known_hosts2'],
  globalknownhostsfile: ['/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2'],
}

interface Reading {
  readonly to: Destination
  readonly me: {readonly user: string; readonly home: string}
  readonly found: Map<string, string[]>
}

interface Scope {
  readonly file: string
  /** Where relative Includes of it lie. */
  readonly base: string
  readonly depth: number
  /** False below a Host or Match that does not fit: includes there are not even read. */
  readonly active: boolean
}

/**
 * What `ssh -G` would say, for machines without OpenSSH: Host, Match (all, host, originalhost, user,
 * localuser), Include, first value wins. `Match exec`, `canonical` and `final` need ssh itself: the
 * first is an error, the others never fit.
 */
export async function readSettings(to: Destination, options: ReadOptions): Promise<Settings> {
  const me = {user: userName(options.env), home: homedir()}
  const reading: Reading = {to, me, found: new Map()}
  if (to.user !== undefined) reading.found.set('user', [to.user])
  if (to.port !== undefined) reading.found.set('port', [String(to.port)])
  const own = join(me.home, '.ssh')
  const shared =
    process.platform === 'win32' ? join(options.env.ProgramData ?? '', 'ssh') : '/etc/ssh'
  const files = options.file
    ? [{file: options.file, base: own}]
    : [
        {file: join(own, 'config'), base: own},
        {file: join(shared, 'ssh_config'), base: shared},
      ]
  for (const {file, base} of files) {
    await readInto(reading, {file, base, depth: 0, active: true}, options.file !== undefined)
  }
  const host = reading.found.get('hostname')?.[0]
  reading.found.set('hostname', [(host ?? to.host).replaceAll('%h', to.host)])
  for (const [key, values] of Object.entries(DEFAULTS)) {
    if (!reading.found.has(key)) reading.found.set(key, [...values])
  }
  return reading.found
}

/**
 * The names of an ssh_config that stand for one machine, without patterns, also of the files that it includes; in
 * their order. STATE_IO.
 */
export async function hostNames(options: ReadOptions): Promise<string[]> {
  const own = join(homedir(), '.ssh')
  const names = new Set<string>()
  const take = async (file: string, depth: number, must: boolean): Promise<void> => {
    if (depth > MAX_DEPTH) throw unreadable(file, 'it is included too deep')
    for (const {key, values} of directives((await parsed(file, must)) ?? [])) {
      if (key === 'host')
        for (const name of values.filter((value) => !/[*?!]/.test(value))) names.add(name)
      if (key !== 'include') continue
      for (const other of await filesOf(values, own)) await take(other, depth + 1, false)
    }
  }
  await take(options.file ?? join(own, 'config'), 0, true)
  return [...names]
}

/** All lines of a file, also those below a Host. */
function directives(lines: Iterable<SSHConfig[number]>): {key: string; values: string[]}[] {
  return [...lines].flatMap((line) => {
    if (line.type !== LineType.DIRECTIVE) return []
    const inner = 'config' in line ? directives(line.config) : []
    return [{key: line.param.toLowerCase(), values: wordsOf(line.value)}, ...inner]
  })
}

async function parsed(file: string, must: boolean): Promise<SSHConfig | undefined> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    if (!must && (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw unreadable(file, messageOf(error))
  }
  try {
    return SSHConfig.parse(text)
  } catch (error) {
    throw unreadable(file, messageOf(error))
  }
}

async function readInto(reading: Reading, scope: Scope, must: boolean): Promise<void> {
  if (scope.depth > MAX_DEPTH) {
    throw unreadable(scope.file, 'it is included too deep; is there a circle of Includes?')
  }
  const config = await parsed(scope.file, must)
  if (config) await apply(reading, config, scope)
}

async function apply(reading: Reading, lines: SSHConfig, scope: Scope): Promise<void> {
  for (const line of lines) {
    if (line.type !== LineType.DIRECTIVE) continue
    const key = line.param.toLowerCase()
    const values = wordsOf(line.value)
    if (key === 'host' || key === 'match') {
      const fits = key === 'host' ? fitsHost(values, reading.to.host) : fitsMatch(values, reading)
      const active = scope.active && fits
      if (active && 'config' in line) await apply(reading, line.config, {...scope, active})
    } else if (key === 'include') {
      for (const file of await filesOf(values, scope.base)) {
        await readInto(reading, {...scope, file, depth: scope.depth + 1}, false)
      }
    } else {
      const known = reading.found.get(key)
      if (!known) reading.found.set(key, [values.join(' ')])
      else if (MANY.has(key)) known.push(values.join(' '))
    }
  }
}

/** The files that patterns of an Include stand for. */
async function filesOf(patterns: readonly string[], base: string): Promise<string[]> {
  const files: string[] = []
  for (const pattern of patterns) {
    const path = pattern.replace(/^~(?=\/)/, homedir())
    const full = isAbsolute(path) ? path : join(base, path)
    const matches: string[] = []
    for await (const file of glob(full)) matches.push(file)
    files.push(...matches.sort())
  }
  return files
}

type Value = string | ReadonlyArray<{readonly val: string}>

function wordsOf(value: Value): string[] {
  return typeof value === 'string' ? [value] : value.map((word) => word.val)
}

/** Patterns in a row: one must fit, and no negated one may. */
function fitsHost(patterns: readonly string[], host: string): boolean {
  let fits = false
  for (const pattern of patterns) {
    const negated = pattern.startsWith('!')
    if (!globMatches(negated ? pattern.slice(1) : pattern, host)) continue
    if (negated) return false
    fits = true
  }
  return fits
}

function fitsMatch(words: readonly string[], {to, me, found}: Reading): boolean {
  const rest = words.flatMap((word) => word.split(/[ \t]+/))
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    const negated = word.startsWith('!')
    const what = word.replace(/^!/, '').toLowerCase()
    let fits: boolean
    if (what === 'all') fits = true
    else if (what === 'canonical' || what === 'final') fits = false
    else {
      const patterns = (rest.shift() ?? '').split(',')
      const subject: Readonly<Record<string, string>> = {
        host: found.get('hostname')?.[0]?.replaceAll('%h', to.host) ?? to.host,
        originalhost: to.host,
        user: found.get('user')?.[0] ?? me.user,
        localuser: me.user,
      }
      const value = subject[what]
      if (value === undefined) throw needsSsh(what)
      fits = fitsHost(patterns, value)
    }
    if (fits === negated) return false
  }
  return true
}

function userName(env: Readonly<NodeJS.ProcessEnv>): string {
  try {
    return userInfo().username
  } catch {
    return env.USER ?? ''
  }
}

function needsSsh(what: string): OllamaxError {
  return new OllamaxError(
    'BAD_INPUT',
    `your ssh_config has "Match ${what}", which only OpenSSH itself can answer`,
    {suggestions: ['install the OpenSSH client (ssh), which is then asked']},
  )
}

function unreadable(file: string, why: string): OllamaxError {
  return new OllamaxError('STATE_IO', `the SSH configuration ${file} cannot be used: ${why}`, {
    suggestions: [`look at it: ls -l ${file}`],
  })
}
