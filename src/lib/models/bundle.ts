import {createHash} from 'node:crypto'
import {createReadStream} from 'node:fs'
import {open, rename, rm} from 'node:fs/promises'
import {messageOf, OllamaxError} from '../errors.ts'
import {BLOCK, parseHeader, TarError} from '../provision/tar-header.ts'
import {fileHeader, paddingOf, TAR_END} from '../provision/tar-writer.ts'
import {blobsOf, hexOf, type Manifest, parseManifest} from './manifest.ts'
import type {BlobSource} from './relay.ts'

// A bundle is a tar archive of a store with one model in it: the manifest first, then its files. So it can also be
// unpacked by hand into a store (tar -x -C ~/.ollama/models).

export interface WriteBundleOptions {
  /** Path of the manifest below `manifests`. */
  readonly path: string
  readonly manifest: Manifest
  readonly source: BlobSource
  readonly onBytes: (written: number) => void
  readonly signal: AbortSignal
}

/**
 * Writes a bundle; the file has its name only when it is whole and every digest in it was checked. MODEL_DAMAGED where
 * the source gives other bytes than it says, STATE_IO where the file cannot be written.
 */
export async function writeBundle(file: string, options: WriteBundleOptions): Promise<void> {
  const part = `${file}.part`
  const fails = (error: unknown) => {
    throw cannot('written', file, error)
  }
  const out = await open(part, 'w', 0o644).catch(fails)
  const put = async (bytes: Buffer) => void (await out.writeFile(bytes).catch(fails))
  try {
    await writeAll(put, options)
    await out.sync().catch(fails)
    await out.close()
    await rename(part, file).catch(fails)
  } catch (error) {
    await out.close().catch(() => {})
    await rm(part, {force: true})
    throw error
  }
}

async function writeAll(
  put: (bytes: Buffer) => Promise<void>,
  {manifest, path, source, onBytes, signal}: WriteBundleOptions,
): Promise<void> {
  await put(headerOf(`manifests/${path}`, manifest.bytes.length))
  await put(manifest.bytes)
  await put(paddingOf(manifest.bytes.length))
  let written = 0
  for (const blob of blobsOf(manifest)) {
    await put(headerOf(`blobs/sha256-${hexOf(blob.digest)}`, blob.sizeBytes))
    const hash = createHash('sha256')
    const take = (chunk: Buffer) => {
      hash.update(chunk)
      written += chunk.length
      onBytes(written)
      return put(chunk)
    }
    await source.read(blob, 0, {take, signal})
    if (`sha256:${hash.digest('hex')}` !== blob.digest) throw wrongBytes(blob.digest)
    await put(paddingOf(blob.sizeBytes))
  }
  await put(TAR_END)
}

function headerOf(path: string, sizeBytes: number): Buffer {
  const header = fileHeader(path, sizeBytes)
  if (header) return header
  throw new OllamaxError('BAD_INPUT', `the name of the model is too long for a bundle: ${path}`)
}

function wrongBytes(digest: string): OllamaxError {
  return new OllamaxError('MODEL_DAMAGED', `the bytes of ${digest} are not what its name says`, {
    suggestions: ['take another node as the source, or pull the model anew there'],
    details: {digest},
  })
}

/** What a bundle holds. Its files are checked by whoever takes them. */
export interface Bundle {
  /** Path of the manifest below `manifests`, which names the model. */
  readonly path: string
  readonly manifest: Manifest
  readonly source: BlobSource
}

interface Place {
  readonly at: number
  readonly sizeBytes: number
}

/** Reads what a bundle holds, without its large files. MODEL_DAMAGED for what is no whole bundle, STATE_IO. */
export async function readBundle(file: string): Promise<Bundle> {
  const places = await indexOf(file)
  const [path, place] = [...places].find(([name]) => name.startsWith('manifests/')) ?? []
  if (!path || !place || place.sizeBytes > 4 * 1024 * 1024)
    throw notBundle(file, 'no model is in it')
  const bytes = await readAt(file, place)
  const manifest = parseManifest(bytes, `the model in ${file}`)
  const blobAt = (digest: string) => places.get(`blobs/sha256-${hexOf(digest)}`)
  for (const {digest, sizeBytes} of blobsOf(manifest))
    if (blobAt(digest)?.sizeBytes !== sizeBytes)
      throw notBundle(file, `the file ${digest} is not in it, or cut off`)
  return {
    path: path.slice('manifests/'.length),
    manifest,
    source: {
      async read(blob, offset, {take, signal}) {
        const found = blobAt(blob.digest)
        if (!found || offset >= blob.sizeBytes) return
        const start = found.at + offset
        const end = found.at + found.sizeBytes - 1
        const stream = createReadStream(file, {start, end, highWaterMark: 256 * 1024, signal})
        for await (const chunk of stream) await take(chunk as Buffer)
      },
    },
  }
}

/** Where each file of the archive begins; content is passed over. */
async function indexOf(file: string): Promise<Map<string, Place>> {
  const places = new Map<string, Place>()
  const handle = await open(file, 'r').catch((error: unknown) => {
    throw cannot('read', file, error)
  })
  try {
    const {size} = await handle.stat()
    const block = Buffer.alloc(BLOCK)
    for (let at = 0; at + BLOCK <= size; ) {
      await handle.read(block, 0, BLOCK, at)
      if (block.every((byte) => byte === 0)) return places
      const {path, type, sizeBytes} = parseHeader(block)
      at += BLOCK
      if (at + sizeBytes > size) throw notBundle(file, 'it stops in mid-file')
      if (type === '0' || type === '\0') places.set(path.replace(/^\.\//, ''), {at, sizeBytes})
      at += Math.ceil(sizeBytes / BLOCK) * BLOCK
    }
  } catch (error) {
    if (error instanceof TarError) throw notBundle(file, error.message)
    throw error
  } finally {
    await handle.close()
  }
  throw notBundle(file, 'its end is missing')
}

async function readAt(file: string, {at, sizeBytes}: Place): Promise<Buffer> {
  const handle = await open(file, 'r')
  try {
    const bytes = Buffer.alloc(sizeBytes)
    await handle.read(bytes, 0, sizeBytes, at)
    return bytes
  } finally {
    await handle.close()
  }
}

function notBundle(file: string, why: string): OllamaxError {
  return new OllamaxError('MODEL_DAMAGED', `${file} is not a whole bundle of a model: ${why}`, {
    suggestions: ['make it anew: ollamax model export MODEL FILE'],
  })
}

function cannot(what: string, file: string, error: unknown): OllamaxError {
  return new OllamaxError('STATE_IO', `${file} could not be ${what}: ${messageOf(error)}`, {
    cause: error,
    suggestions: ['look at the path, its rights and the room there'],
  })
}
