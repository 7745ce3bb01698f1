import {
  access,
  constants,
  type FileHandle,
  mkdir,
  open,
  readdir,
  rm,
  stat,
  utimes,
} from 'node:fs/promises'
import {join} from 'node:path'
import {messageOf, OllamaxError} from '../errors.ts'
import {hexOf} from '../models/manifest.ts'

/** One file of the cache, whole or not. */
interface Kept {
  readonly path: string
  readonly sizeBytes: number
  /** When it was last of use. */
  readonly usedMs: number
}

/** Makes the directory of a cache where it is not there. BAD_INPUT where nothing can be kept in it. */
export async function readyDirectory(dir: string): Promise<void> {
  try {
    await mkdir(dir, {recursive: true, mode: 0o700})
    await access(dir, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (error) {
    throw new OllamaxError('BAD_INPUT', `models cannot be kept in ${dir}: ${messageOf(error)}`, {
      cause: error,
      suggestions: [
        'make it for the account that runs this: sudo install -d -m 700 -o NAME DIR',
        'choose another directory: --registry-cache DIR',
      ],
    })
  }
}

/** The blobs of a cache on disk, and the room that they may take. */
export class CacheFiles {
  readonly #dir: string
  readonly #maxBytes: number
  /** Those that are being fetched; how much room each will take. */
  readonly #coming = new Map<string, number>()

  constructor(dir: string, maxBytes: number) {
    this.#dir = join(dir, 'blobs')
    this.#maxBytes = maxBytes
  }

  pathOf(digest: string): string {
    return join(this.#dir, `sha256-${hexOf(digest)}`)
  }

  /** Opens a file for reading and notes that it was of use; undefined where it is not there in this size. */
  async open(digest: string, sizeBytes: number): Promise<FileHandle | undefined> {
    const path = this.pathOf(digest)
    const file = await open(path, 'r').catch(() => undefined)
    if (!file) return undefined
    const now = new Date()
    const [{size}] = await Promise.all([file.stat(), utimes(path, now, now).catch(() => {})])
    if (size === sizeBytes) return file
    await file.close()
    await rm(path, {force: true})
    return undefined
  }

  /**
   * Makes room for a file that comes, by removing what was of no use for longest; gives the bytes by which that is not
   * enough: then nothing was removed. The room is taken until `came`.
   */
  async makeRoom(digest: string, sizeBytes: number): Promise<number> {
    await mkdir(this.#dir, {recursive: true, mode: 0o700})
    const coming = [...this.#coming].reduce((sum, [, bytes]) => sum + bytes, 0)
    const short = coming + sizeBytes - this.#maxBytes
    if (short > 0) return short
    this.#coming.set(digest, sizeBytes)
    const kept = (await this.#all()).filter(({path}) => !this.#isComing(path))
    let over = kept.reduce((sum, file) => sum + file.sizeBytes, 0) + short
    for (const {path, sizeBytes: bytes} of kept.sort((a, b) => a.usedMs - b.usedMs)) {
      if (over <= 0) break
      await rm(path, {force: true})
      over -= bytes
    }
    return 0
  }

  /** It is there, or will not come. */
  came(digest: string): void {
    this.#coming.delete(digest)
  }

  #isComing(path: string): boolean {
    return [...this.#coming.keys()].some((digest) => path.startsWith(this.pathOf(digest)))
  }

  async #all(): Promise<Kept[]> {
    const names = await readdir(this.#dir).catch(() => [])
    const files = await Promise.all(
      names.map(async (name) => {
        const path = join(this.#dir, name)
        const found = await stat(path).catch(() => undefined)
        return found?.isFile() ? [{path, sizeBytes: found.size, usedMs: found.mtimeMs}] : []
      }),
    )
    return files.flat()
  }
}
