/** Who takes an answer, piece by piece. */
export interface AnswerSink {
  /** Name, value, name, value...; interim answers (1xx) are not told. */
  head(status: number, headers: readonly string[]): void
  /** Bytes of the body that are the sink's to keep. */
  data(chunk: Buffer): void
  end(): void
}

/** What came is no HTTP/1.x answer, or one that could be read in two ways. */
export class BadAnswer extends Error {
  override readonly name = 'BadAnswer'
}

const MAX_HEAD_BYTES = 64 * 1024
/** Of one line of chunk framing, and of all trailers together. */
const MAX_FRAME_BYTES = 16 * 1024
/** Counted with the digit of the size before them. */
const MAX_TRAILERS = 100
const CR = 13
const LF = 10
const SEMICOLON = 59
const HEAD_END = Buffer.from('\r\n\r\n')
const STATUS = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: |$)/
/** A head without what could make two readers see two different ones. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
const UNCLEAN = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)|(?<!\r)\n/
const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

/** Where the next byte belongs. */
type Part = 'head' | 'length' | 'until-close' | 'size' | 'chunk' | 'chunk-end' | 'trailer' | 'done'

/**
 * Reads HTTP/1.x answers from the bytes of one connection, one after the other (RFC 9112). Strict where leniency would let
 * two readers disagree; it takes what comes in any pieces, and keeps no reference to them.
 */
export class AnswerReader {
  #part: Part = 'done'
  #bodyless = false
  /** Bytes of a head that has not come in full. */
  #pending: Buffer | undefined
  /** Of the body or the chunk. */
  #left = 0
  /** Digits of a chunk's size, or trailers. */
  #count = 0
  /** Bytes of framing since the last LF. */
  #frameBytes = 0
  #inExtension = false
  /** The byte of framing before. */
  #last = 0
  #reusable = false
  readonly #sink: AnswerSink

  constructor(sink: AnswerSink) {
    this.#sink = sink
  }

  /** An answer is to come now. `bodyless`: it is one to HEAD. */
  begin(bodyless: boolean): void {
    this.#bodyless = bodyless
    this.#part = 'head'
    this.#pending = undefined
    this.#reusable = false
  }

  /** Once the end was told: the connection may carry another request. */
  get reusable(): boolean {
    return this.#reusable
  }

  /** Reads on. BadAnswer for what is none; what the sink throws passes through. */
  push(chunk: Buffer): void {
    if (this.#part === 'done') throw new BadAnswer('more bytes than the answer has')
    for (let at = 0; at < chunk.length; ) {
      switch (this.#part) {
        case 'head':
          at = this.#head(chunk, at)
          break
        case 'length':
        case 'chunk':
          at = this.#body(chunk, at)
          break
        case 'until-close':
          this.#sink.data(Buffer.copyBytesFrom(chunk, at))
          return
        case 'size':
          at = this.#size(chunk, at)
          break
        case 'chunk-end':
          at = this.#chunkEnd(chunk, at)
          break
        default:
          at = this.#trailer(chunk, at)
      }
      if (this.#is('done')) {
        // What follows belongs to no request, and must not be taken for the answer to the next one.
        if (at < chunk.length) this.#reusable = false
        this.#sink.end()
        return
      }
    }
  }

  /** A function, as what was seen of a field before a call holds no longer after it. */
  #is(part: Part): boolean {
    return this.#part === part
  }

  /** The connection has ended. True if the answer is whole by that, which is now told. */
  closed(): boolean {
    if (this.#part !== 'until-close') return false
    this.#part = 'done'
    this.#reusable = false
    this.#sink.end()
    return true
  }

  #head(chunk: Buffer, at: number): number {
    const before = this.#pending
    const bytes = before ? Buffer.concat([before, chunk.subarray(at)]) : chunk
    const from = before ? 0 : at
    const end = bytes.indexOf(HEAD_END, from)
    if ((end < 0 ? bytes.length : end) - from > MAX_HEAD_BYTES)
      throw new BadAnswer('the head has no end')
    if (end < 0) {
      this.#pending = before ? bytes : Buffer.copyBytesFrom(chunk, at)
      return chunk.length
    }
    this.#pending = undefined
    this.#readHead(bytes.toString('latin1', from, end))
    return before ? at + end + 4 - before.length : end + 4
  }

  #readHead(text: string): void {
    if (UNCLEAN.test(text)) throw new BadAnswer('the head has characters that may not be there')
    const status = STATUS.exec(text)
    if (!status) throw new BadAnswer(`no HTTP/1.x answer: ${text.slice(0, 40)}`)
    const code = Number(status[2])
    if (code === 101) throw new BadAnswer('it switches to another protocol')
    if (code < 200) return
    const headers: string[] = []
    let length = -1
    let chunked = false
    let keeps = status[1] === '1'
    for (let eol = text.indexOf('\r\n'); eol >= 0; ) {
      const start = eol + 2
      eol = text.indexOf('\r\n', start)
      const line = eol < 0 ? text.slice(start) : text.slice(start, eol)
      const colon = line.indexOf(':')
      const name = line.slice(0, Math.max(0, colon))
      if (!NAME.test(name)) throw new BadAnswer('a header has no proper name')
      const value = line.slice(colon + 1).trim()
      headers.push(name, value)
      const size = name.length
      if (size === 14 && name.toLowerCase() === 'content-length') length = lengthOf(value, length)
      else if (size === 17 && name.toLowerCase() === 'transfer-encoding') {
        if (value.toLowerCase() !== 'chunked') throw new BadAnswer(`transfer encoding ${value}`)
        chunked = true
      } else if (size === 10 && name.toLowerCase() === 'connection') {
        if (/\bclose\b/i.test(value)) keeps = false
      }
    }
    if (chunked && length >= 0) throw new BadAnswer('both a length and a transfer encoding')
    this.#reusable = keeps
    this.#sink.head(code, headers)
    if (this.#bodyless || code === 204 || code === 304 || length === 0) this.#part = 'done'
    else if (chunked) this.#toSize()
    else if (length > 0) {
      this.#left = length
      this.#part = 'length'
    } else this.#part = 'until-close'
  }

  #body(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + this.#left)
    this.#left -= end - at
    this.#sink.data(Buffer.copyBytesFrom(chunk, at, end - at))
    if (this.#left === 0) this.#part = this.#part === 'length' ? 'done' : 'chunk-end'
    return end
  }

  #toSize(): void {
    this.#part = 'size'
    this.#left = 0
    this.#count = 0
    this.#frameBytes = 0
    this.#inExtension = false
    this.#last = 0
  }

  #size(chunk: Buffer, from: number): number {
    for (let at = from; at < chunk.length; at++) {
      const byte = chunk[at] ?? 0
      if (++this.#frameBytes > MAX_FRAME_BYTES) throw new BadAnswer('a chunk size has no end')
      if (byte === LF) {
        if (this.#last !== CR || this.#count === 0) throw new BadAnswer('bad chunk size')
        this.#part = this.#left === 0 ? 'trailer' : 'chunk'
        this.#frameBytes = 0
        this.#last = 0
        return at + 1
      }
      if (this.#last === CR) throw new BadAnswer('bad chunk size')
      if (byte === SEMICOLON) this.#inExtension = true
      else if (byte !== CR && !this.#inExtension) this.#digit(byte)
      this.#last = byte
    }
    return chunk.length
  }

  #digit(byte: number): void {
    const low = byte | 32
    const value = byte >= 48 && byte <= 57 ? byte - 48 : low >= 97 && low <= 102 ? low - 87 : -1
    // 12 digits are 256 TiB, and still exact.
    if (value < 0 || ++this.#count > 12) throw new BadAnswer('bad chunk size')
    this.#left = this.#left * 16 + value
  }

  #chunkEnd(chunk: Buffer, at: number): number {
    const byte = chunk[at]
    if (byte !== (this.#last === CR ? LF : CR))
      throw new BadAnswer('a chunk is longer than it says')
    if (byte === LF) this.#toSize()
    else this.#last = CR
    return at + 1
  }

  /** Trailers are not passed on: skipped up to the first empty line. */
  #trailer(chunk: Buffer, from: number): number {
    for (let at = from; at < chunk.length; at++) {
      const byte = chunk[at] ?? 0
      if (byte === LF) {
        if (this.#last !== CR) throw new BadAnswer('bad trailer')
        if (this.#frameBytes === 1) {
          this.#part = 'done'
          return at + 1
        }
        this.#frameBytes = 0
        if (++this.#count > MAX_TRAILERS) throw new BadAnswer('too many trailers')
      } else if (this.#last === CR || ++this.#frameBytes > MAX_FRAME_BYTES)
        throw new BadAnswer('bad trailer')
      this.#last = byte === LF ? 0 : byte
    }
    return chunk.length
  }
}

function lengthOf(value: string, before: number): number {
  const length = /^\d{1,15}$/.test(value) ? Number(value) : -1
  if (length < 0 || (before >= 0 && before !== length)) throw new BadAnswer('bad content length')
  return length
}
