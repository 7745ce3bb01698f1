import {OllamaxError} from '../errors.ts'
import {type Blob, blobsOf, hexOf, type Manifest} from './manifest.ts'
import type {BlobSink, BlobSource} from './relay.ts'
import type {Store} from './store.ts'
import {READ_BLOB, WRITE_BLOB, WRITE_MANIFEST} from './store-scripts.ts'

/** Transfers have no deadline as a whole: what stalls is found by other means. */
export const NO_DEADLINE_MS = 2 ** 31 - 1
const BUSY = 75
const WRONG = 76
export const BROKE_OFF = 77
const MISSING = 78

/** Blobs out of a node's store. */
export function storeSource(store: Store): BlobSource {
  return {
    read: (blob, from, to) => readPart(store, blob, {...to, from, length: blob.sizeBytes - from}),
  }
}

/**
 * Hands out a part of a file of a node's store, one chunk after the other. MODEL_DAMAGED where it cannot be had in full.
 */
export async function readPart(
  store: Store,
  blob: Blob,
  {
    from,
    length,
    take,
    signal,
  }: {
    readonly from: number
    readonly length: number
    readonly take: (chunk: Buffer) => Promise<void> | void
    readonly signal: AbortSignal
  },
): Promise<void> {
  const {dir} = store.look
  let came = 0
  const said = await store.run(READ_BLOB, {
    reads: true,
    args: [dir, hexOf(blob.digest), String(from), String(length)],
    signal,
    timeoutMs: NO_DEADLINE_MS,
    maxBytes: 4096,
    onStdout: (chunk) => {
      came += chunk.length
      return take(chunk)
    },
  })
  if (said.code === 0 && came === length) return
  const why = said.stderr.trim().split('\n').at(-1) || `${came} of ${length} bytes came`
  throw new OllamaxError('MODEL_DAMAGED', `${store.node} could not give ${blob.digest}: ${why}`, {
    suggestions: ['take another node as the source, or pull the model anew there'],
    details: {node: store.node, digest: blob.digest},
  })
}

/** Blobs into a node's store: checked there, and visible only when whole. */
export function storeSink(store: Store): BlobSink {
  const {look, node} = store
  return {
    name: node,
    partOf: (blob) => look.parts.get(blob.digest) ?? 0,
    async write(blob, offset, {bytes, signal}) {
      const hex = hexOf(blob.digest)
      const said = await store.run(WRITE_BLOB, {
        title: `write the file ${blob.digest} of a model`,
        args: [look.dir, hex, String(blob.sizeBytes), String(offset), look.owner],
        stdin: bytes,
        signal,
        timeoutMs: NO_DEADLINE_MS,
      })
      if (said.code !== 0) throw notWritten(store, blob, said)
    },
  }
}

/** How such a script ended. */
export interface Said {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** What a WRITE_BLOB that did not end well means. */
export function notWritten({node, look}: Store, blob: Blob, said: Said): OllamaxError {
  const short = blob.digest.slice(0, 19)
  const details = {node, digest: blob.digest, exit: said.code, stderr: said.stderr.slice(-500)}
  if (said.code === BUSY)
    return new OllamaxError('LOCKED', `${node}: another copy of ${short} is under way there`, {
      suggestions: ['wait for it, and run this again'],
      details,
    })
  if (said.code === WRONG)
    return new OllamaxError(
      'MODEL_DAMAGED',
      `${node}: what came is not ${short}: its hash is another, so it was thrown away`,
      {
        suggestions: [
          'the file is damaged at the source, or on the way: take another node as the source',
        ],
        details,
      },
    )
  const why = said.stderr.trim().split('\n').at(-1) ?? ''
  if (/No space left|Disk quota/i.test(said.stderr))
    return new OllamaxError(
      'NO_SPACE',
      `${node}: the disk is full where models lie (${look.dir})`,
      {
        suggestions: ['make room there: ollamax model prune, ollamax model remove'],
        details,
      },
    )
  const what = said.code === BROKE_OFF ? 'the bytes broke off; what came is kept' : why
  return new OllamaxError('ACTION_FAILED', `${node}: ${short} could not be written: ${what}`, {
    suggestions: ['run it again: it goes on from what is there'],
    details,
  })
}

/**
 * Makes a model visible in a store that has all its files. MODEL_DAMAGED where one of them is missing there.
 */
export async function writeManifest(
  store: Store,
  {path, manifest}: {readonly path: string; readonly manifest: Manifest},
  signal: AbortSignal,
): Promise<void> {
  const {dir, owner} = store.look
  const files = blobsOf(manifest).map(({digest, sizeBytes}) => `${hexOf(digest)}:${sizeBytes}`)
  const args = [dir, path, manifest.bytes.toString('base64'), owner, ...files]
  const title = `make the model ${path} visible`
  const said = await store.run(WRITE_MANIFEST, {title, args, signal})
  if (said.code === 0) return
  const details = {node: store.node, exit: said.code, stderr: said.stderr.slice(-500)}
  if (said.code === MISSING)
    throw new OllamaxError('MODEL_DAMAGED', `${store.node}: a file of the model is not there`, {
      suggestions: ['run it again'],
      details,
    })
  const why = said.stderr.trim().split('\n').at(-1) || `exit code ${said.code}`
  throw new OllamaxError('ACTION_FAILED', `${store.node}: the manifest was not written: ${why}`, {
    suggestions: ['run it again'],
    details,
  })
}
