import {
  type FileHandle,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises'
import {dirname, join} from 'node:path'
import {roundSize} from '../cluster/size.ts'
import {download} from '../engine/install/download.ts'
import {sha256Of} from '../engine/install/hash-file.ts'
import {OllamaxError} from '../errors.ts'
import {blobsOf, hexOf, type Manifest, parseManifest} from '../models/manifest.ts'
import {withLock} from '../state/lock.ts'
import {nameOf, type Part, type RegistryName} from './asked.ts'
import {CacheFiles} from './cache-files.ts'
import {Shared} from './shared.ts'
import type {OpenBlob, RegistrySource, Take} from './source.ts'
import {askManifest, blobUrl} from './upstream.ts'

export interface CacheOptions {
  readonly dir: string
  /** Of all blobs together. */
  readonly maxBytes: number
  /** Address of the registry that is asked for what is not there, without a slash at its end. */
  readonly upstream: string
  /** Told in words what it does and what fails. */
  readonly note: (text: string, fields: Readonly<Record<string, unknown>>) => void
}

/** What was fetched once is had from here by all others. */
export interface RegistryCache extends RegistrySource {
  /** A blob that is here already. */
  kept(name: RegistryName, digest: string): Promise<OpenBlob | undefined>
  /** Ends downloads; what came of them stays, and the next one goes on from there. */
  close(): void
}

/** A client that hung up asks again at once as a rule. */
const GRACE_MS = 30_000
const STALL_MS = 60_000
const OTHER_PROCESS_MS = 24 * 3_600_000
const CHUNK_BYTES = 256 * 1024

/**
 * A directory of manifests and blobs in the layout of Ollama's store, filled from another registry on demand. A blob is
 * served only after its hash was checked: when it has come, and once more when it is first used by this process. One
 * download is shared by all who ask for it, those of other processes with the same directory too.
 */
export function registryCache(options: CacheOptions): RegistryCache {
  const {dir, upstream, maxBytes, note} = options
  const files = new CacheFiles(dir, maxBytes)
  /** Of all manifests that were seen; only what stands there is fetched. */
  const sizes = new Map<string, number>()
  const fetching = new Map<string, Shared<void>>()
  /** Blobs whose hash this process has found to be right. */
  const checked = new Set<string>()
  const pathOf = ({namespace, model}: RegistryName, tag: string) =>
    join(dir, 'manifests', namespace.toLowerCase(), model.toLowerCase(), tag.toLowerCase())
  const learn = (manifest: Manifest): Manifest => {
    for (const {digest, sizeBytes} of blobsOf(manifest)) sizes.set(digest, sizeBytes)
    return manifest
  }
  const keptManifest = async (name: RegistryName, tag: string): Promise<Manifest | undefined> => {
    const bytes = await readFile(pathOf(name, tag)).catch(() => undefined)
    return bytes && parseManifest(bytes, `${nameOf(name, tag)} in ${dir}`)
  }
  /** Of what an earlier process was asked for. */
  const learnKept = async (name: RegistryName) => {
    for (const tag of await readdir(dirname(pathOf(name, 'x'))).catch(() => []))
      await keptManifest(name, tag).then(
        (manifest) => manifest && learn(manifest),
        () => {},
      )
  }

  /** Sees to it that the file is there and right. */
  const bring = (name: RegistryName, digest: string, sizeBytes: number) => {
    const there = fetching.get(digest)
    if (there) return there
    const shared = new Shared<void>(async (signal) => {
      try {
        const work = () => fetchOrCheck({name, digest, sizeBytes, signal})
        const why = `fetching ${digest}`
        const lock = join(dir, 'locks', hexOf(digest).slice(0, 2))
        await withLock(lock, work, {signal, timeoutMs: OTHER_PROCESS_MS, why})
      } finally {
        fetching.delete(digest)
        files.came(digest)
      }
    }, GRACE_MS)
    fetching.set(digest, shared)
    return shared
  }

  const fetchOrCheck = async (one: {
    readonly name: RegistryName
    readonly digest: string
    readonly sizeBytes: number
    readonly signal: AbortSignal
  }) => {
    const {name, digest, sizeBytes, signal} = one
    const path = files.pathOf(digest)
    const there = await files.open(digest, sizeBytes)
    await there?.close()
    if (there) {
      if (checked.has(digest)) return
      if ((await sha256Of(path, {signal})) === hexOf(digest)) return void checked.add(digest)
      note('a file of the registry cache was damaged and is fetched anew', {digest})
      await rm(path, {force: true})
    }
    const short = await files.makeRoom(digest, sizeBytes)
    if (short > 0) throw tooSmall(digest, short)
    const beganMs = performance.now()
    await download({
      ...{url: blobUrl(upstream, name, digest), sha256: hexOf(digest), path, signal},
      ...{maxBytes: sizeBytes, stallMs: STALL_MS},
      ...{report: () => {}, subject: digest, step: 'fetch'},
    })
    checked.add(digest)
    const seconds = Math.round(performance.now() - beganMs) / 1000
    note('fetched a file into the registry cache', {digest, bytes: sizeBytes, seconds})
  }

  const opened = (name: RegistryName, digest: string, sizeBytes: number): OpenBlob => ({
    sizeBytes,
    async read(part, to) {
      // Between its coming and its opening another one may have taken its room.
      for (let tries = 0; tries < 3; tries++) {
        await bring(name, digest, sizeBytes).wait(to.signal)
        const file = await files.open(digest, sizeBytes)
        if (file) return readFrom(file, part, to)
      }
      throw tooSmall(digest, sizeBytes)
    },
  })

  return {
    async manifest(name, tag, signal) {
      try {
        const manifest = await askManifest(upstream, {name, tag, signal})
        if (!manifest) return undefined
        await keep(pathOf(name, tag), manifest.bytes)
        return learn(manifest)
      } catch (error) {
        signal.throwIfAborted()
        const kept = await keptManifest(name, tag)
        if (!kept) throw error
        note('the registry cannot be asked, what the cache has is given', {err: error})
        return learn(kept)
      }
    },
    async blob(name, digest) {
      if (!sizes.has(digest)) await learnKept(name)
      const sizeBytes = sizes.get(digest)
      return sizeBytes === undefined ? undefined : opened(name, digest, sizeBytes)
    },
    async kept(name, digest) {
      const found = await stat(files.pathOf(digest)).catch(() => undefined)
      return found && opened(name, digest, found.size)
    },
    close() {
      for (const shared of fetching.values()) shared.end(new Error('the gateway ends'))
    },
  }
}

/** Whole or not at all, as all files that others may read meanwhile. */
async function keep(path: string, bytes: Buffer): Promise<void> {
  await mkdir(dirname(path), {recursive: true, mode: 0o700})
  const draft = `${path}.${process.pid}-${Math.random().toString(36).slice(2)}.new`
  await writeFile(draft, bytes, {mode: 0o600})
  await rename(draft, path)
}

async function readFrom(
  file: FileHandle,
  {from, length}: Part,
  {take, signal}: {readonly take: Take; readonly signal: AbortSignal},
): Promise<void> {
  try {
    for (let at = from; at < from + length; ) {
      signal.throwIfAborted()
      const most = Math.min(CHUNK_BYTES, from + length - at)
      const {bytesRead, buffer} = await file.read(Buffer.allocUnsafe(most), 0, most, at)
      if (bytesRead === 0) throw new Error('the file has become shorter')
      at += bytesRead
      await take(buffer.subarray(0, bytesRead))
    }
  } finally {
    await file.close()
  }
}

function tooSmall(digest: string, short: number): OllamaxError {
  return new OllamaxError(
    'NO_SPACE',
    `the registry cache is too small for ${digest.slice(0, 19)}: ${roundSize(short)} too little`,
    {suggestions: ['a larger --registry-cache-size']},
  )
}
