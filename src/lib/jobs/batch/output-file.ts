import {type FileHandle, open} from 'node:fs/promises'
import {OllamaxError} from '../../errors.ts'
import {cannot} from '../../state/write-file.ts'
import {type EarlierOutput, nothingYet, readOutput} from './read-output.ts'

/** Where lines go. */
export interface Output {
  /** Takes whole lines with their ends. Resolves when there is room for more; throws what once went wrong. */
  write(text: string): Promise<void>
  /** All that was written is with the disk, or with whoever reads it; throws what went wrong. */
  close(): Promise<void>
}

/** What is written is given to the disk so often: a power cut loses no more. */
const SYNC_MS = 1000
/** Characters that may wait for the disk. */
const MOST_WAITING = 4 * 1024 * 1024

/** Opens a file to go on with what earlier runs have left there. STATE_IO, and BAD_INPUT as of `readOutput`. */
export async function openOutput(
  path: string,
): Promise<{readonly output: Output; readonly earlier: EarlierOutput}> {
  const file = await open(path, 'a+').catch((error: unknown) => {
    throw cannot('write', path, error)
  })
  try {
    // A pipe or a device cannot be read again, so there is nothing to go on with.
    const isFile = (await file.stat()).isFile()
    const earlier = isFile ? await readOutput(path, file) : nothingYet()
    if (isFile) await file.truncate(earlier.bytes)
    return {output: new OutputFile(path, file, earlier.bytes), earlier}
  } catch (error) {
    await file.close()
    throw OllamaxError.is(error) ? error : cannot('write', path, error)
  }
}

/** Appends whole lines. What a full disk has cut is taken back, so that the file ends with a whole line. */
class OutputFile implements Output {
  readonly #path: string
  readonly #file: FileHandle
  readonly #timer: NodeJS.Timeout
  #bytes: number
  #waiting = ''
  #writing: Promise<void> | undefined
  #unsynced = false
  #failure: unknown

  constructor(path: string, file: FileHandle, bytes: number) {
    this.#path = path
    this.#file = file
    this.#bytes = bytes
    this.#timer = setInterval(() => void this.#sync(), SYNC_MS)
  }

  async write(text: string): Promise<void> {
    if (this.#failure) throw this.#failure
    this.#waiting += text
    this.#writing ??= this.#flush()
    if (this.#waiting.length > MOST_WAITING) await this.#writing
    if (this.#failure) throw this.#failure
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    await this.#writing
    await this.#sync()
    await this.#file.close().catch((error: unknown) => this.#failed(error))
    if (this.#failure) throw this.#failure
  }

  async #flush(): Promise<void> {
    try {
      while (this.#waiting && !this.#failure) {
        const bytes = Buffer.from(this.#waiting)
        this.#waiting = ''
        await this.#append(bytes)
      }
    } finally {
      this.#writing = undefined
    }
  }

  async #append(bytes: Buffer): Promise<void> {
    try {
      await this.#file.appendFile(bytes)
      this.#bytes += bytes.length
      this.#unsynced = true
    } catch (error) {
      this.#failed(error)
      await this.#file.truncate(this.#bytes).catch(() => undefined)
    }
  }

  async #sync(): Promise<void> {
    if (!this.#unsynced) return
    this.#unsynced = false
    // Not everything that can be written to can be synced.
    await this.#file.datasync().catch((error: {code?: string}) => {
      if (error.code === 'EIO' || error.code === 'ENOSPC') this.#failed(error)
    })
  }

  #failed(error: unknown): void {
    this.#failure ??= cannot('write', this.#path, error)
  }
}
