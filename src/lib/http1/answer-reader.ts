import {HeaderLines, lists} from './header-lines.ts'
import {BadMessage, type Framing, MessageReader} from './message-reader.ts'

/** Who takes an answer. */
export interface AnswerSink {
  /** Name, value, name, value...; interim answers (1xx) are not told. */
  head(status: number, headers: readonly string[]): void
  /** Bytes of the body; they may be overwritten once this returns. */
  data(bytes: Buffer): void
}

const MAX_HEAD_BYTES = 64 * 1024
const MAX_HEADERS = 1000
const STATUS = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: [\t -~\x80-\xff]*)?(?:\r\n|$)/

/** Reads a server's answers. */
export class AnswerReader extends MessageReader {
  readonly #sink: AnswerSink
  #bodyless = false
  #keeps = false

  constructor(sink: AnswerSink) {
    super(MAX_HEAD_BYTES)
    this.#sink = sink
  }

  /** An answer is to come now. `bodyless`: it is one to HEAD. */
  override begin(bodyless = false): void {
    this.#bodyless = bodyless
    this.#keeps = false
    super.begin()
  }

  /** Once it is done: the connection may carry another request. */
  get reusable(): boolean {
    return this.#keeps
  }

  override closed(): boolean {
    this.#keeps = false
    return super.closed()
  }

  protected override mayBegin(byte: number): boolean {
    return byte === 0x48
  }

  protected override readHead(text: string): Framing | undefined {
    const status = STATUS.exec(text)
    if (!status) throw new BadMessage(`no HTTP/1.x answer: ${text.slice(0, 40)}`)
    const code = Number(status[2])
    if (code === 101) throw new BadMessage('it switches to another protocol')
    if (code < 200) return undefined
    const {raw, length, chunked, connection} = new HeaderLines(text, MAX_HEADERS)
    this.#keeps = status[1] === '1' && !lists(connection, 'close')
    this.#sink.head(code, raw)
    if (this.#bodyless || code === 204 || code === 304) return 0
    if (chunked) return 'chunked'
    if (length >= 0) return length
    this.#keeps = false
    return 'until-close'
  }

  protected override readBody(bytes: Buffer): void {
    this.#sink.data(bytes)
  }
}
