import {randomBytes} from 'node:crypto'
import {setTimeout as pause} from 'node:timers/promises'
import {SEND_BLOB, SIZE_OF} from './direct-scripts.ts'
import {type Blob, hexOf} from './manifest.ts'
import type {Store} from './store.ts'
import {NO_DEADLINE_MS, notWritten, type Said} from './store-blobs.ts'
import {WRITE_BLOB} from './store-scripts.ts'

/** How one file went from host to host. */
export type Sent =
  | {readonly kind: 'there'}
  /** The hosts do not reach each other, or may not: another way must be taken. */
  | {readonly kind: 'no-way'; readonly why: string}
  | {readonly kind: 'failed'; readonly code: number; readonly error: unknown}

export interface SendOptions {
  /** Bytes of the file that are at the target, from time to time. */
  readonly onBytes: (there: number) => void
  readonly signal: AbortSignal
}

const LOOK_MS = 1000
const NO_WAY = [126, 127, 255]

/**
 * Sends a file from one store to another without passing it through this process: the source logs in to the target by
 * a login that is lent to it meanwhile (see `LentLogins`). The source's file may still be arriving.
 */
export async function sendDirect(
  blob: Blob,
  {from, to}: {readonly from: Store; readonly to: Store},
  options: SendOptions,
): Promise<Sent> {
  const {login} = to.remote
  const marker = `ox-${randomBytes(12).toString('hex')}`
  const hex = hexOf(blob.digest)
  const there = await sizeAt(to, hex, options.signal)
  if (there === blob.sizeBytes && to.look.blobs.has(blob.digest)) return {kind: 'there'}
  const size = String(blob.sizeBytes)
  const line = to.line(WRITE_BLOB, [to.look.dir, hex, size, String(there), to.look.owner], marker)
  if (!login) return {kind: 'no-way', why: 'its login cannot be lent'}
  if (line === undefined) return {kind: 'no-way', why: 'sudo wants a password there'}
  const watch = watchSize(to, blob, options)
  try {
    const said = await from.remote.exec(SEND_BLOB, {
      title: `send the file ${blob.digest} of a model to ${to.node}`,
      args: [
        from.look.dir,
        hex,
        String(there),
        size,
        from.bySudo ? '1' : '',
        login.host,
        String(login.port),
        login.user,
        login.hostKeyLine,
        line,
      ],
      lend: login,
      signal: options.signal,
      timeoutMs: NO_DEADLINE_MS,
    })
    if (said.code === 0) return {kind: 'there'}
    if (NO_WAY.includes(said.code))
      return {kind: 'no-way', why: said.stderr.trim().split('\n').at(-1) || 'no ssh there'}
    return {kind: 'failed', code: said.code, error: notWritten(to, blob, cleaned(said, marker))}
  } finally {
    watch.stop()
  }
}

/** Without the line that begins the output of what ran at the other end. */
function cleaned({code, stdout, stderr}: Said, marker: string): Said {
  const after = (text: string) =>
    text
      .split('\n')
      .filter((line) => !line.includes(marker))
      .join('\n')
  return {code, stdout: after(stdout), stderr: after(stderr)}
}

async function sizeAt(store: Store, hex: string, signal: AbortSignal): Promise<number> {
  const said = await store.run(SIZE_OF, {reads: true, args: [store.look.dir, hex], signal})
  return Number(said.stdout.trim()) || 0
}

/** Looks at the target's file every second, until stopped. What cannot be seen is not told. */
function watchSize(store: Store, blob: Blob, {onBytes, signal}: SendOptions) {
  const over = new AbortController()
  const both = AbortSignal.any([over.signal, signal])
  const loop = async () => {
    for (;;) {
      await pause(LOOK_MS, undefined, {signal: both})
      onBytes(await sizeAt(store, hexOf(blob.digest), both))
    }
  }
  loop().catch(() => {})
  return {stop: () => over.abort()}
}
