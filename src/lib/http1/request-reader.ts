import {HeaderLines, lists} from './header-lines.ts'
import {BadMessage, type Framing, MessageReader} from './message-reader.ts'

/** A request's head. */
export interface RequestHead {
  readonly method: string
  /** As it was sent: path and query, a whole URL, or `*`. */
  readonly target: string
  /** 1.0 or 1.1. */
  readonly minor: 0 | 1
  readonly headers: HeaderLines
  /** The client wants more than one answer from this connection. */
  readonly keeps: boolean
  /** It waits for a word before it sends the body. */
  readonly expectsContinue: boolean
  /** Expects something that nobody here knows. */
  readonly expectsOther: boolean
  /** Bytes of the body; -1: it comes in chunks. */
  readonly length: number
}

/** Who takes a request. */
export interface RequestSink {
  head(head: RequestHead): void
  /** Bytes of the body. */
  data(bytes: Buffer): void
}

export interface RequestLimits {
  readonly maxHeadBytes: number
  readonly maxHeaders: number
}

const LINE = /^([A-Z]{1,20}) ([!-~]+) HTTP\/1\.([01])(?:\r\n|$)/

/** Reads a client's requests. */
export class RequestReader extends MessageReader {
  readonly #sink: RequestSink
  readonly #maxHeaders: number

  constructor(sink: RequestSink, {maxHeadBytes, maxHeaders}: RequestLimits) {
    super(maxHeadBytes)
    this.#sink = sink
    this.#maxHeaders = maxHeaders
  }

  protected override mayBegin(byte: number): boolean {
    return (byte >= 0x41 && byte <= 0x5a) || byte === 0x0d
  }

  protected override readHead(given: string): Framing {
    // RFC 9112, 2.2: an empty line too many after the request before is skipped.
    const text = given.startsWith('\r\n') ? given.slice(2) : given
    const line = LINE.exec(text)
    if (!line) throw new BadMessage('no HTTP/1.x request')
    const headers = new HeaderLines(text, this.#maxHeaders)
    const minor = line[3] === '1' ? 1 : 0
    const host = headers.get('host')
    if (minor === 1 && host === undefined) throw new BadMessage('there is no Host')
    if (host?.includes(',')) throw new BadMessage('more than one Host')
    if (minor === 0 && headers.chunked) throw new BadMessage('HTTP/1.0 knows no chunks')
    const {connection, chunked} = headers
    const expect = headers.get('expect')?.toLowerCase()
    const length = chunked ? -1 : Math.max(0, headers.length)
    this.#sink.head({
      method: line[1] ?? '',
      target: line[2] ?? '',
      minor,
      headers,
      keeps: minor === 1 ? !lists(connection, 'close') : lists(connection, 'keep-alive'),
      expectsContinue: expect === '100-continue' && minor === 1 && length !== 0,
      expectsOther: expect !== undefined && expect !== '100-continue',
      length,
    })
    return chunked ? 'chunked' : length
  }

  protected override readBody(bytes: Buffer): void {
    this.#sink.data(bytes)
  }
}
