import {execFile} from 'node:child_process'
import {randomBytes} from 'node:crypto'
import {
  link,
  mkdir,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  unlink,
  writeFile,
} from 'node:fs/promises'
import {hostname} from 'node:os'
import {join} from 'node:path'
import {setTimeout as wait} from 'node:timers/promises'
import {promisify} from 'node:util'
import {OllamaxError} from '../errors.ts'
import {startInStat} from './process-stat.ts'
import {cannot, TEMPORARY} from './write-file.ts'

export interface LockOptions {
  readonly signal?: AbortSignal | undefined
  /** What the holder does, for the message of those who wait in vain. */
  readonly why?: string | undefined
  /** Longest wait for one and the same holder; default 10,000. All waits together end after six times that. */
  readonly timeoutMs?: number | undefined
}

/** Who holds a lock, as its file says. `nonce` is unique to each time the lock is taken. */
interface Holder {
  readonly nonce: string
  readonly pid: number
  /** Tells a process from a later one with the same pid; '' = could not be found out. */
  readonly start: string
  readonly host: string
  readonly why: string
  readonly since: string
}

const LOCK = '.lock'

/**
 * Runs `work` while no other process runs under the lock of this directory. A holder that died is
 * replaced (docs/design/0002-locking.md says how, and why no two can win). LOCKED names the holder.
 */
export async function withLock<T>(
  directory: string,
  work: () => Promise<T>,
  options: LockOptions = {},
): Promise<T> {
  options.signal?.throwIfAborted()
  await mkdir(directory, {recursive: true, mode: 0o700}).catch((error: unknown) => {
    throw cannot('write', directory, error)
  })
  const me = await describeMe(options.why ?? '')
  try {
    await take(directory, me, options)
  } catch (error) {
    throw (error as {code?: string}).code === 'ABORT_ERR' ? options.signal?.reason : error
  } finally {
    await rm(join(directory, `${LOCK}.${me.nonce}`), {force: true}).catch(() => undefined)
  }
  try {
    await sweep(directory)
    return await work()
  } finally {
    // Removed by hand and taken by another: then it is not ours to give up.
    const now = await readHolder(join(directory, LOCK))
    if (now?.nonce === me.nonce) await unlink(join(directory, LOCK))
  }
}

async function take(directory: string, me: Holder, options: LockOptions): Promise<void> {
  const path = join(directory, LOCK)
  const limitMs = options.timeoutMs ?? 10_000
  const begun = performance.now()
  let since = begun
  let waitedFor = ''
  for (let pauseMs = 4; ; pauseMs = Math.min(pauseMs * 1.6, 120)) {
    if (await claim(directory, me, path)) return
    const holder = await readHolder(path)
    if (holder && (await isDead(holder))) {
      await replaceDead(directory, me, holder)
      continue
    }
    const now = performance.now()
    if (holder && holder.nonce !== waitedFor) {
      waitedFor = holder.nonce
      since = now
    }
    if (holder && (now - since > limitMs || now - begun > 6 * limitMs)) throw locked(path, holder)
    // Jitter, so that many who wait do not knock in step.
    await wait(pauseMs * (0.5 + Math.random()), undefined, {
      ...(options.signal ? {signal: options.signal} : {}),
    })
  }
}

/** Makes `path` ours if nobody has it: atomically, and never with half of its content. */
async function claim(directory: string, me: Holder, path: string): Promise<boolean> {
  const draft = join(directory, `${LOCK}.${me.nonce}`)
  try {
    await link(draft, path)
    return true
  } catch (error) {
    const code = (error as {code?: string}).code ?? ''
    if (code === 'EEXIST') return false
    if (code !== 'ENOENT' && !NO_LINKS.has(code)) throw cannot('write', path, error)
    if (code === 'ENOENT') {
      await writeFile(draft, JSON.stringify(me), {mode: 0o600}).catch((cause: unknown) => {
        throw cannot('write', draft, cause)
      })
      return claim(directory, me, path)
    }
  }
  try {
    await writeFile(path, JSON.stringify(me), {mode: 0o600, flag: 'wx'})
    return true
  } catch (error) {
    if ((error as {code?: string}).code === 'EEXIST') return false
    throw cannot('write', path, error)
  }
}

/** What file systems without hard links answer. */
const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'])

/**
 * Removes the lock of a dead holder. The right to remove exactly that holder's lock is a file of its
 * own, named by its nonce and taken like the lock; a right whose owner died is inherited the same way.
 */
async function replaceDead(directory: string, me: Holder, dead: Holder): Promise<void> {
  const rights: string[] = []
  for (let of = dead; ; ) {
    const right = join(directory, `${LOCK}.dead-${of.nonce}`)
    if (await claim(directory, me, right)) {
      rights.push(right)
      break
    }
    const owner = await readHolder(right)
    // Gone or alive: another one does the work, or has done it.
    if (!owner || owner.nonce === me.nonce || !(await isDead(owner))) return
    rights.push(right)
    of = owner
  }
  // Read again, now that nobody else may remove it: it may have been replaced long ago.
  const now = await readHolder(join(directory, LOCK))
  if (now?.nonce === dead.nonce) await rm(join(directory, LOCK), {force: true})
  for (const right of rights) await rm(right, {force: true})
}

async function readHolder(path: string): Promise<Holder | undefined> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if ((error as {code?: string}).code === 'ENOENT') return undefined
    throw cannot('read', path, error)
  }
  try {
    const holder = JSON.parse(text) as Holder
    if (typeof holder.nonce === 'string' && /^[0-9a-z-]+$/.test(holder.nonce)) return holder
  } catch {
    // Not JSON: handled below.
  }
  return unreadable(path)
}

/** A lock without content: just being written where links do not exist, or what a power cut left. */
async function unreadable(path: string): Promise<Holder | undefined> {
  const found = await stat(path).catch(() => undefined)
  if (!found) return undefined
  const old = Math.abs(Date.now() - found.mtimeMs) > 10_000
  return {
    nonce: `x${found.ino}-${Math.floor(found.mtimeMs)}`,
    pid: old ? 0 : -1,
    start: '',
    host: await hostIdentity(),
    why: 'unknown',
    since: found.mtime.toISOString(),
  }
}

async function describeMe(why: string): Promise<Holder> {
  return {
    nonce: randomBytes(10).toString('hex'),
    pid: process.pid,
    start: (await startOf(process.pid)) ?? '',
    host: await hostIdentity(),
    why,
    since: new Date().toISOString(),
  }
}

/** True only for what is certain: a holder on another machine counts as alive. */
async function isDead(holder: Holder): Promise<boolean> {
  if (holder.host !== (await hostIdentity())) return false
  if (holder.pid <= 0) return holder.pid === 0
  try {
    process.kill(holder.pid, 0)
  } catch (error) {
    // EPERM: it lives and belongs to somebody else.
    if ((error as {code?: string}).code === 'ESRCH') return true
  }
  const start = await startOf(holder.pid)
  return start === undefined || (holder.start !== '' && start !== '' && start !== holder.start)
}

/** Containers on one machine may share its name, but not its process numbers. */
async function hostIdentity(): Promise<string> {
  const space = await readlink('/proc/self/ns/pid').catch(() => '')
  return `${hostname()} ${space}`.trim()
}

/** When a process started, as text that only can be compared; undefined: it is gone; '': unknown. */
async function startOf(pid: number): Promise<string | undefined> {
  if (process.platform === 'win32') return ''
  if (process.platform !== 'linux') {
    const run = promisify(execFile)
    return run('ps', ['-o', 'lstart=', '-p', String(pid)], {timeout: 5000}).then(
      ({stdout}) => stdout.trim() || undefined,
      (error: {code?: unknown}) => (error.code === 1 ? undefined : ''),
    )
  }
  const line = await readFile(`/proc/${pid}/stat`, 'utf8').catch((error: {code?: string}) =>
    error.code === 'ENOENT' || error.code === 'ESRCH' ? undefined : '',
  )
  if (!line) return line
  const ticks = startInStat(line)
  if (ticks === undefined) return undefined
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '')
  return `${boot.trim()} ${ticks}`
}

/** Removes what killed processes left; we hold the lock, so no write is under way, and waits are shorter. */
async function sweep(directory: string): Promise<void> {
  for (const name of await readdir(directory).catch(() => [])) {
    const path = join(directory, name)
    if (TEMPORARY.test(name)) await rm(path, {force: true})
    else if (name.startsWith(`${LOCK}.`)) {
      const found = await stat(path).catch(() => undefined)
      if (found && Date.now() - found.mtimeMs > 600_000) await rm(path, {force: true})
    }
  }
}

function locked(path: string, holder: Holder): OllamaxError {
  const who =
    holder.pid > 0
      ? `process ${holder.pid} on ${holder.host.split(' ')[0]}`
      : 'a process that did not say who it is'
  const what = holder.why ? ` (${holder.why})` : ''
  return new OllamaxError('LOCKED', `${who}${what} has held the lock since ${holder.since}`, {
    suggestions: ['wait until it has ended', `if it cannot be running any more: rm ${path}`],
    details: {path, pid: holder.pid, host: holder.host, why: holder.why, since: holder.since},
  })
}
