/** What came is no proper HTTP/1.x, or could be read in two ways. */
export class BadMessage extends Error {
  override readonly name = 'BadMessage'
  /** What a client is told. */
  readonly status: 400 | 431

  constructor(message: string, status: 400 | 431 = 400) {
    super(message)
    this.status = status
  }
}

/** How a message's body ends: after so many bytes, by its chunks, or with the connection. */
export type Framing = number | 'chunked' | 'until-close'

/** Of one line of chunk framing, and of all trailers together. */
const MAX_FRAME_BYTES = 16 * 1024
const CR = 13
const LF = 10
const SEMICOLON = 59
const HEAD_END = Buffer.from('\r\n\r\n')
/** Read by a second reader as framing, or as a right, they would change what the message is. */
const BAD_TRAILER =
  /^(content-length|transfer-encoding|host|authorization|content-encoding)[ \t]*:/im

const TRAILERS = /^(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t -~\x80-\xff]*\r\n)*$/

/** Where the next byte belongs. */
type Part = 'head' | 'length' | 'until-close' | 'size' | 'chunk' | 'chunk-end' | 'trailer' | 'done'

/**
 * Reads HTTP/1.x messages from the bytes of one connection, one after the other (RFC 9112). Strict where leniency would
 * let two readers disagree. Takes what comes in any pieces.
 */
export abstract class MessageReader {
  readonly #maxHeadBytes: number
  #part: Part = 'done'
  /** Bytes of a head that has not come in full. */
  #pending: Buffer | undefined
  /** Of the body or the chunk. */
  #left = 0
  #digits = 0
  /** Bytes of framing since the last LF. */
  #frameBytes = 0
  #inExtension = false
  /** The byte of framing before. */
  #last = 0
  #trailers = ''

  constructor(maxHeadBytes: number) {
    this.#maxHeadBytes = maxHeadBytes
  }

  /** Whether a head may begin so. */
  protected abstract mayBegin(byte: number): boolean

  /** Takes a head, without the empty line. undefined: another one follows before the message itself. */
  protected abstract readHead(text: string): Framing | undefined

  /** Takes bytes of the body. They may be overwritten once this returns. */
  protected abstract readBody(bytes: Buffer): void

  /** A message is to come now. */
  begin(): void {
    this.#part = 'head'
    this.#pending = undefined
  }

  /** The message has come in full, or none is awaited. */
  get done(): boolean {
    return this.#part === 'done'
  }

  /** The connection has ended: true if the message is whole by that. */
  closed(): boolean {
    if (this.#part !== 'until-close') return false
    this.#part = 'done'
    return true
  }

  /**
   * Reads on from `at`, at most to the end of this message; returns where it has stopped. BadMessage for what is none.
   * What the methods above throw passes through.
   */
  push(chunk: Buffer, from = 0): number {
    let at = from
    while (at < chunk.length && this.#part !== 'done') at = this.#step(chunk, at)
    return at
  }

  #step(chunk: Buffer, at: number): number {
    switch (this.#part) {
      case 'head':
        return this.#head(chunk, at)
      case 'size':
        return this.#size(chunk, at)
      case 'chunk-end':
        return this.#chunkEnd(chunk, at)
      case 'trailer':
        return this.#trailer(chunk, at)
      case 'until-close':
        this.readBody(at === 0 ? chunk : chunk.subarray(at))
        return chunk.length
      default:
        return this.#body(chunk, at)
    }
  }

  #head(chunk: Buffer, at: number): number {
    const before = this.#pending
    const bytes = before ? Buffer.concat([before, chunk.subarray(at)]) : chunk
    const from = before ? 0 : at
    const end = bytes.indexOf(HEAD_END, from)
    if ((end < 0 ? bytes.length : end) - from > this.#maxHeadBytes)
      throw new BadMessage('the head is too long', 431)
    if (end < 0) {
      // What will be none is not waited for.
      const lf = chunk.indexOf(LF, at)
      const ahead = lf > at ? chunk[lf - 1] : before?.at(-1)
      const first = before ? undefined : chunk[at]
      if ((lf >= 0 && ahead !== CR) || (first !== undefined && !this.mayBegin(first)))
        throw new BadMessage('no HTTP/1.x')
      this.#pending = before ? bytes : Buffer.from(chunk.subarray(at))
      return chunk.length
    }
    this.#pending = undefined
    const framing = this.readHead(bytes.toString('latin1', from, end))
    if (framing === 'chunked') this.#toSize()
    else if (framing === 'until-close') this.#part = framing
    else if (framing === 0) this.#part = 'done'
    else if (framing !== undefined) {
      this.#left = framing
      this.#part = 'length'
    }
    return before ? at + end + 4 - before.length : end + 4
  }

  #body(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + this.#left)
    this.#left -= end - at
    if (this.#left === 0) this.#part = this.#part === 'length' ? 'done' : 'chunk-end'
    this.readBody(at === 0 && end === chunk.length ? chunk : chunk.subarray(at, end))
    return end
  }

  #toSize(): void {
    this.#part = 'size'
    this.#left = 0
    this.#digits = 0
    this.#frameBytes = 0
    this.#inExtension = false
    this.#last = 0
  }

  #size(chunk: Buffer, from: number): number {
    for (let at = from; at < chunk.length; at++) {
      const byte = chunk[at] ?? 0
      if (++this.#frameBytes > MAX_FRAME_BYTES) throw new BadMessage('a chunk size has no end')
      if (byte === LF) {
        if (this.#last !== CR || this.#digits === 0) throw new BadMessage('bad chunk size')
        this.#part = this.#left === 0 ? 'trailer' : 'chunk'
        this.#trailers = ''
        this.#last = 0
        return at + 1
      }
      if (this.#last === CR) throw new BadMessage('bad chunk size')
      if (byte === SEMICOLON && this.#digits > 0) this.#inExtension = true
      else if (byte !== CR && !this.#inExtension) this.#digit(byte)
      this.#last = byte
    }
    return chunk.length
  }

  #digit(byte: number): void {
    const low = byte | 32
    const value = byte >= 48 && byte <= 57 ? byte - 48 : low >= 97 && low <= 102 ? low - 87 : -1
    // 12 digits are 256 TiB, and still exact.
    if (value < 0 || ++this.#digits > 12) throw new BadMessage('bad chunk size')
    this.#left = this.#left * 16 + value
  }

  #chunkEnd(chunk: Buffer, at: number): number {
    const byte = chunk[at]
    if (byte !== (this.#last === CR ? LF : CR))
      throw new BadMessage('a chunk is longer than it says')
    if (byte === LF) this.#toSize()
    else this.#last = CR
    return at + 1
  }

  /** Trailers are not passed on. */
  #trailer(chunk: Buffer, from: number): number {
    const before = this.#trailers.length
    this.#trailers += chunk.toString('latin1', from, from + MAX_FRAME_BYTES)
    const all = this.#trailers
    const end = all.startsWith('\r\n') ? 0 : all.indexOf('\r\n\r\n') + 2
    // Not `\r\n` yet, but perhaps the first half of it.
    if (end === 1) {
      if (all.length > MAX_FRAME_BYTES) throw new BadMessage('the trailers are too long')
      return Math.min(chunk.length, from + MAX_FRAME_BYTES)
    }
    const text = all.slice(0, end)
    if (!TRAILERS.test(text) || BAD_TRAILER.test(text)) throw new BadMessage('bad trailer')
    this.#part = 'done'
    return from + end + 2 - before
  }
}
