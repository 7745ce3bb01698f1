import {execFile} from 'node:child_process'
import {randomBytes} from 'node:crypto'
import {readFile, readlink} from 'node:fs/promises'
import {hostname} from 'node:os'
import {promisify} from 'node:util'
import {startInStat} from './process-stat.ts'

/** Who holds a lock, as its file says. `nonce` is unique to each time the lock is taken. */
export interface Holder {
  readonly nonce: string
  readonly pid: number
  /** Tells a process from a later one with the same pid; '' = could not be found out. */
  readonly start: string
  readonly host: string
  readonly why: string
  readonly since: string
}

/** This process as a holder. */
export async function describeMe(why: string): Promise<Holder> {
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
export async function isDead(holder: Holder): Promise<boolean> {
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

/**
 * True only if the holder was a process of this very machine since it was booted, and has ended: for locks that
 * lie where several machines of one name may meet.
 */
export async function diedHere(holder: Holder): Promise<boolean> {
  const boot = (await startOf(process.pid))?.split(' ')[0] ?? ''
  return boot !== '' && holder.start.split(' ')[0] === boot && (await isDead(holder))
}

/** Containers on one machine may share its name, but not its process numbers. */
export async function hostIdentity(): Promise<string> {
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

/** A holder from the text of a lock file; undefined: it is none. */
export function parseHolder(text: string): Holder | undefined {
  try {
    const holder = JSON.parse(text) as Holder
    return typeof holder.nonce === 'string' && /^[0-9a-z-]+$/.test(holder.nonce)
      ? holder
      : undefined
  } catch {
    return undefined
  }
}
