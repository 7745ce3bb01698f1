import {link, mkdir, readdir, readFile, rm, stat, unlink, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {setTimeout as wait} from 'node:timers/promises'
import {OllamaxError} from '../errors.ts'
import {describeMe, type Holder, hostIdentity, isDead, parseHolder} from './lock-holder.ts'
import {cannot, TEMPORARY} from './write-file.ts'

export interface LockOptions {
  readonly signal?: AbortSignal | undefined
  /** What the holder does, for the message of those who wait in vain. */
  readonly why?: string | undefined
  /** Longest wait for one and the same holder; default 10,000. All waits together end after six times that. */
  readonly timeoutMs?: number | undefined
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
  return parseHolder(text) ?? unreadable(path)
}

/** Who holds the lock of this directory and lives, as far as can be told; undefined: nobody. */
export async function lockHolder(directory: string): Promise<Holder | undefined> {
  const holder = await readHolder(join(directory, LOCK))
  return holder && !(await isDead(holder)) ? holder : undefined
}

/** Takes the lock away from that very holder, who goes on without it. False: it holds it no more. */
export async function breakLock(directory: string, holder: Holder): Promise<boolean> {
  const path = join(directory, LOCK)
  if ((await readHolder(path))?.nonce !== holder.nonce) return false
  await rm(path, {force: true})
  return true
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
