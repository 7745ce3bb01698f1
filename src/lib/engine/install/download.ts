import {mkdir, open, rename, rm, stat, statfs} from 'node:fs/promises'
import {dirname} from 'node:path'
import {setTimeout as wait} from 'node:timers/promises'
import {messageOf, OllamaxError} from '../../errors.ts'
import {sha256Of} from './hash-file.ts'
import type {Step} from './progress.ts'

export interface DownloadOptions extends Step {
  /** `http:` or `https:`; what it sends is only trusted by its hash. */
  readonly url: string
  readonly sha256: string
  readonly path: string
  readonly signal: AbortSignal
  /** More than this is refused. */
  readonly maxBytes: number
  /** Longest time without a byte. */
  readonly stallMs: number
}

/** Tries in a row that bring no byte. */
const TRIES = 4

/**
 * Downloads to `path + '.part'`, going on where an earlier run stopped, checks the hash and renames.
 * DOWNLOAD_FAILED says why not; what was fetched stays for the next run unless its hash is wrong.
 */
export async function download(options: DownloadOptions): Promise<void> {
  const {url, path, report, subject, step, signal} = options
  const shown = withoutSecrets(url)
  const started = performance.now()
  report({kind: 'start', subject, step})
  await mkdir(dirname(path), {recursive: true, mode: 0o700})
  const part = `${path}.part`
  for (let failures = 0; ; ) {
    const before = await sizeOf(part)
    try {
      await fetchRest(options, part, before)
      break
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof Final) throw failed(shown, error.message)
      failures = (await sizeOf(part)) > before ? 1 : failures + 1
      if (failures >= TRIES) throw failed(shown, messageOf((error as Error).cause ?? error), error)
      await wait(250 * 2 ** failures, undefined, {signal})
    }
  }
  const found = await sha256Of(part, {signal})
  if (found !== options.sha256.toLowerCase()) {
    await rm(part, {force: true})
    throw failed(shown, `its sha256 is ${found}, not ${options.sha256}; it was thrown away`)
  }
  await rename(part, path)
  report({kind: 'done', subject, step, ms: performance.now() - started})
}

/** A reason for which another try makes no sense. */
class Final extends Error {}

async function fetchRest(options: DownloadOptions, part: string, have: number): Promise<void> {
  const {report, subject, step, maxBytes} = options
  const stall = stallGuard(options.signal, options.stallMs)
  try {
    const reply = await fetch(options.url, {
      signal: stall.signal,
      headers: {'accept-encoding': 'identity', ...(have > 0 ? {range: `bytes=${have}-`} : {})},
    })
    // Nothing is left to fetch: whether it is whole is for the hash to say.
    if (reply.status === 416 && have > 0) return
    if (!reply.ok || !reply.body) {
      const text = `HTTP ${reply.status} ${reply.statusText}`.trim()
      throw reply.status >= 500 || reply.status === 429 ? new Error(text) : new Final(text)
    }
    const resumed = reply.status === 206 && startsAt(reply, have)
    if (reply.status === 206 && !resumed)
      throw new Final('it answers with another part of the file')
    let done = resumed ? have : 0
    const length = Number(reply.headers.get('content-length') ?? Number.NaN)
    const total = Number.isFinite(length) ? done + length : undefined
    await checkRoom(part, {done, total, maxBytes})
    const file = await open(part, resumed ? 'a' : 'w', 0o600)
    try {
      for await (const chunk of reply.body) {
        stall.alive()
        done += chunk.length
        if (done > maxBytes) throw new Final(`it is larger than ${maxBytes} bytes`)
        await file.write(chunk)
        report({kind: 'bytes', subject, step, done, ...(total === undefined ? {} : {total})})
      }
    } finally {
      await file.close()
    }
    if (total !== undefined && done < total) throw new Error('the connection ended too early')
  } finally {
    stall.end()
  }
}

function startsAt(reply: Response, have: number): boolean {
  return reply.headers.get('content-range')?.startsWith(`bytes ${have}-`) ?? false
}

async function checkRoom(
  part: string,
  size: {readonly done: number; readonly total: number | undefined; readonly maxBytes: number},
): Promise<void> {
  if (size.total === undefined) return
  if (size.total > size.maxBytes)
    throw new Final(`it has ${size.total} bytes, more than ${size.maxBytes}`)
  const disk = await statfs(dirname(part)).catch(() => undefined)
  const free = disk && disk.bavail * disk.bsize
  if (free !== undefined && free < size.total - size.done)
    throw new Final(`it needs ${size.total - size.done} bytes, and ${free} are free on the disk`)
}

/** Aborts when nothing was `alive()` for a while; also with the signal that it is given. */
function stallGuard(signal: AbortSignal, stallMs: number) {
  const stop = new AbortController()
  const late = () => stop.abort(new Error(`no byte for ${stallMs / 1000} s`))
  let timer = setTimeout(late, stallMs)
  return {
    signal: AbortSignal.any([signal, stop.signal]),
    alive() {
      clearTimeout(timer)
      timer = setTimeout(late, stallMs)
    },
    end: () => clearTimeout(timer),
  }
}

const sizeOf = (path: string) =>
  stat(path).then(
    ({size}) => size,
    () => 0,
  )

function withoutSecrets(url: string): string {
  const {origin, pathname} = new URL(url)
  return origin + pathname
}

function failed(url: string, why: string, cause?: unknown): OllamaxError {
  return new OllamaxError('DOWNLOAD_FAILED', `could not download ${url}: ${why}`, {
    suggestions: ['run the command again: it goes on where it stopped'],
    cause,
  })
}
