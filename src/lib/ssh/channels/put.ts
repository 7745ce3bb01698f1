import {Readable} from 'node:stream'
import type {SFTPWrapper} from 'ssh2'
import {messageOf, OllamaxError} from '../../errors.ts'
import type {Wire} from '../connect/wire.ts'
import {abortable} from '../deadline.ts'
import type {PutOptions} from '../remote.ts'
import {exec} from './exec.ts'

const STALL_MS = 30_000
const DISCARD_MS = 3000
const PART_BYTES = 32 * 1024
/** Writes under way at once: SFTP answers each, and one at a time would cost a round trip per part. */
const IN_FLIGHT = 64

interface Upload {
  readonly path: string
  readonly part: string
  readonly mode: number | undefined
  readonly signal: AbortSignal
  /** To be called whenever bytes were taken. */
  sent(bytes: number): void
}

/** Writes a file on the other machine; see `Remote.put`. Without SFTP there, through a shell. */
export async function put(
  wire: Wire,
  source: Readable | Uint8Array,
  path: string,
  options: PutOptions = {},
): Promise<void> {
  const stallMs = options.stallMs ?? STALL_MS
  const stalled = new AbortController()
  const timer = setTimeout(
    () => stalled.abort(stallError(wire.label, {path, stallMs, total})),
    stallMs,
  )
  let total = 0
  const signals = [stalled.signal, wire.lost, ...(options.signal ? [options.signal] : [])]
  const upload: Upload = {
    path,
    part: `${path}.part`,
    mode: options.mode,
    signal: AbortSignal.any(signals),
    sent(bytes) {
      total += bytes
      timer.refresh()
      options.onBytes?.(total)
    },
  }
  try {
    const sftp = await openSftp(wire, upload.signal)
    if (sftp) await overSftp(wire, sftp, {source, upload})
    else await overShell(wire, {source, upload})
  } finally {
    clearTimeout(timer)
    if (source instanceof Readable) source.destroy()
  }
}

async function openSftp(wire: Wire, signal: AbortSignal): Promise<SFTPWrapper | undefined> {
  try {
    return await wire.session<SFTPWrapper>((client, done) => client.sftp(done), signal)
  } catch (error) {
    if (signal.aborted || OllamaxError.is(error)) throw error
    return undefined
  }
}

interface Work {
  readonly source: Readable | Uint8Array
  readonly upload: Upload
}

async function overSftp(wire: Wire, sftp: SFTPWrapper, {source, upload}: Work): Promise<void> {
  const {path, part, mode, signal} = upload
  sftp.on('error', () => {})
  const call = <T = void>(run: (done: (error?: Error | null, value?: T) => void) => void) =>
    abortable(
      signal,
      new Promise<T>((resolve, reject) => {
        run((error, value) => (error ? reject(error) : resolve(value as T)))
      }),
    )
  let handle: Buffer | undefined
  try {
    const opened = await call<Buffer>((done) => sftp.open(part, 'w', {mode: 0o600}, done))
    handle = opened
    const size = await writeParts(source, upload, (data, position) =>
      call((done) => sftp.write(opened, data, 0, data.length, position, done)),
    )
    if (mode !== undefined) await call((done) => sftp.fchmod(opened, mode, done))
    const stats = await call<{size: number}>((done) => sftp.fstat(opened, done))
    if (stats.size !== size) throw new Error(`${stats.size} of ${size} bytes arrived`)
    await call((done) => sftp.close(opened, done))
    handle = undefined
    await call((done) => sftp.ext_openssh_rename(part, path, done)).catch(async () => {
      // Not OpenSSH: a plain rename does not replace.
      await call((done) => sftp.unlink(path, done)).catch(() => {})
      await call((done) => sftp.rename(part, path, done))
    })
  } catch (error) {
    await discard(wire, sftp, {handle, part})
    if (signal.aborted) throw signal.reason
    throw putError(wire.label, path, await reason(sftp, {error, path}))
  } finally {
    sftp.end()
  }
}

/** Removes what was written, unless the machine does not answer any more. */
async function discard(
  wire: Wire,
  sftp: SFTPWrapper,
  {handle, part}: {readonly handle: Buffer | undefined; readonly part: string},
): Promise<void> {
  if (wire.lost.aborted) return
  const removed = new Promise<void>((resolve) => {
    setTimeout(resolve, DISCARD_MS).unref()
    wire.lost.addEventListener('abort', () => resolve(), {once: true})
    if (handle) sftp.close(handle, () => {})
    sftp.unlink(part, () => resolve())
  })
  await removed
}

/** Sends the source in parts, many under way at once; resolves with its size once all are taken. */
async function writeParts(
  source: Readable | Uint8Array,
  upload: Upload,
  write: (data: Buffer, position: number) => Promise<void>,
): Promise<number> {
  let position = 0
  let failure: unknown
  const pending = new Set<Promise<void>>()
  for await (const chunk of source instanceof Readable ? source : [source]) {
    const data = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk as Uint8Array | string)
    for (let from = 0; from < data.length; from += PART_BYTES) {
      const part = data.subarray(from, from + PART_BYTES)
      const writing: Promise<void> = write(part, position).then(
        () => {
          pending.delete(writing)
          upload.sent(part.length)
        },
        (error) => {
          pending.delete(writing)
          failure ??= error
        },
      )
      pending.add(writing)
      position += part.length
      if (pending.size >= IN_FLIGHT) await Promise.race(pending)
      if (failure !== undefined) throw failure
    }
  }
  await Promise.all(pending)
  if (failure !== undefined) throw failure
  return position
}

async function overShell(wire: Wire, {source, upload}: Work): Promise<void> {
  const {path, part, mode, signal} = upload
  const run = (script: string, args: string[], stdin?: Readable) =>
    exec(wire, script, {
      args,
      signal,
      timeoutMs: 2 ** 31 - 1,
      ...(stdin ? {stdin} : {}),
    })
  let size = 0
  const counted = Readable.from(
    (async function* () {
      for await (const chunk of source instanceof Readable ? source : [source]) {
        const data = Buffer.from(chunk as Uint8Array)
        size += data.length
        yield data
        upload.sent(data.length)
      }
    })(),
  )
  const written = await run('umask 077; cat >"$1" && wc -c <"$1"', [part], counted)
  if (written.code === 0 && Number(written.stdout.trim()) !== size) {
    throw putError(wire.label, path, `${written.stdout.trim()} of ${size} bytes arrived`)
  }
  const moved =
    written.code !== 0
      ? written
      : await run('{ [ -z "$3" ] || chmod "$3" "$1"; } && mv -f "$1" "$2"', [
          part,
          path,
          mode === undefined ? '' : mode.toString(8),
        ])
  if (moved.code !== 0) {
    await run('rm -f "$1"', [part]).catch(() => {})
    throw putError(wire.label, path, moved.stderr.trim())
  }
}

const PERMISSION_DENIED = 3
const NO_SUCH_FILE = 2
const FAILURE = 4

/** Words for an SFTP error. A full disk has no code of its own there, so the disk is looked at. */
async function reason(
  sftp: SFTPWrapper,
  about: {readonly error: unknown; readonly path: string},
): Promise<string> {
  const {error, path} = about
  const code = (error as {code?: unknown}).code
  if (code === PERMISSION_DENIED) return 'permission denied'
  if (code === NO_SUCH_FILE) return 'its directory does not exist'
  if (code !== FAILURE) return messageOf(error)
  const directory = path.replace(/[^/]*$/, '') || '.'
  const free = await new Promise<number | undefined>((resolve) => {
    const timer = setTimeout(() => resolve(undefined), 3000)
    const done = (_: unknown, fs?: {f_bavail: number; f_bfree: number}) => {
      clearTimeout(timer)
      resolve(fs?.f_bavail)
    }
    try {
      sftp.ext_openssh_statvfs(directory, done as never)
    } catch {
      done(undefined)
    }
  })
  return free === 0
    ? 'the disk is full'
    : 'the machine could not write it (read-only or full disk?)'
}

function putError(label: string, path: string, why: string): OllamaxError {
  return new OllamaxError('ACTION_FAILED', `${path} could not be written on ${label}: ${why}`, {
    suggestions: ['look at the free space and the rights of that directory there'],
  })
}

function stallError(
  label: string,
  about: {readonly path: string; readonly stallMs: number; readonly total: number},
): OllamaxError {
  const {path, stallMs, total} = about
  return new OllamaxError(
    'TIMEOUT',
    `${label} took no more bytes of ${path} for ${Math.round(stallMs / 1000)} s (${total} were sent)`,
    {suggestions: ['look at the network and at the disk there, and run it again']},
  )
}
