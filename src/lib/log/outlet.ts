import {fstatSync, write, writeSync} from 'node:fs'
import type {Writable} from 'node:stream'
import {isatty} from 'node:tty'

/** Where batches of lines go. Never throws; `done` tells of each batch whether it was written. */
export interface Outlet {
  write(text: string, done: (error?: unknown) => void): void
  /** Taken and not written yet. */
  backlogBytes(): number
  /** Last words: writes what it can at once. */
  end(): void
}

/** A file is written to by its descriptor, everything else as the stream that it is. */
export function outletOf(stream: Writable & {readonly fd?: unknown}): Outlet {
  return typeof stream.fd === 'number' && isFile(stream.fd)
    ? new FileOutlet(stream.fd)
    : new StreamOutlet(stream)
}

function isFile(fd: number): boolean {
  try {
    const stat = fstatSync(fd)
    // A device as /dev/null fails or succeeds like a file; a terminal blocks like a pipe.
    return stat.isFile() || (stat.isCharacterDevice() && !isatty(fd))
  } catch {
    return false
  }
}

/** A pipe, a socket, a terminal. When it has failed it stays so: a reader that left does not come back. */
class StreamOutlet implements Outlet {
  readonly #stream: Writable

  constructor(stream: Writable) {
    this.#stream = stream
    // Each write tells of its own failure; without a listener the event would end the process.
    stream.on('error', () => {})
  }

  write(text: string, done: (error?: unknown) => void): void {
    const {errored, destroyed, writableEnded} = this.#stream
    if (errored || destroyed || writableEnded) done(errored ?? new Error('it is closed'))
    else this.#stream.write(text, done)
  }

  backlogBytes(): number {
    return this.#stream.writableLength
  }

  end(): void {}
}

/**
 * A file, which Node's streams give up for good when a write fails; a disk that was full has room again later. Writes
 * without holding up anything else, one at a time.
 */
class FileOutlet implements Outlet {
  readonly #fd: number
  readonly #jobs: {bytes: Buffer; readonly done: (error?: unknown) => void}[] = []
  #backlogBytes = 0
  /** Half a line stands at the end of the file. */
  #torn = false

  constructor(fd: number) {
    this.#fd = fd
  }

  write(text: string, done: (error?: unknown) => void): void {
    const bytes = Buffer.from(text)
    this.#backlogBytes += bytes.length
    if (this.#jobs.push({bytes, done}) === 1) this.#next()
  }

  backlogBytes(): number {
    return this.#backlogBytes
  }

  end(): void {
    // The first is under way already.
    for (const {bytes} of this.#jobs.slice(1)) {
      try {
        writeSync(this.#fd, bytes)
      } catch {
        return
      }
    }
  }

  #next(): void {
    const job = this.#jobs[0]
    if (job === undefined) return
    if (this.#torn) {
      job.bytes = Buffer.concat([Buffer.from('\n'), job.bytes])
      this.#backlogBytes++
      this.#torn = false
    }
    this.#put(job.bytes, (error) => {
      this.#jobs.shift()
      job.done(error)
      this.#next()
    })
  }

  #put(bytes: Buffer, done: (error: unknown) => void): void {
    write(this.#fd, bytes, (error, written) => {
      if (error) {
        this.#backlogBytes -= bytes.length
        return done(error)
      }
      this.#backlogBytes -= written
      const rest = bytes.subarray(written)
      this.#torn = rest.length > 0
      if (this.#torn) this.#put(rest, done)
      else done(undefined)
    })
  }
}
