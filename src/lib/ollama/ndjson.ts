/** Thrown for a line that is no JSON object or too long; the message says which. */
export class BadLine extends Error {
  override readonly name = 'BadLine'
}

/** Longest line taken, in bytes: a final chunk with a large `context` is some hundred KiB. */
const MAX_LINE_BYTES = 8 * 1024 * 1024

const NEWLINE = 10

/**
 * Splits a byte stream into its JSON lines as they become whole. Bytes are joined before they are
 * decoded, so a character cut in two between chunks survives. Blank lines are skipped; the last line
 * needs no newline. Throws BadLine.
 */
export class JsonLines {
  readonly #maxBytes: number
  #held: Uint8Array[] = []
  #heldBytes = 0

  constructor(maxBytes = MAX_LINE_BYTES) {
    this.#maxBytes = maxBytes
  }

  /** The lines that this chunk completes. */
  *push(chunk: Uint8Array): Generator<Record<string, unknown>> {
    let start = 0
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      this.#hold(chunk.subarray(start, end))
      start = end + 1
      yield* this.#take()
    }
    if (start < chunk.length) this.#hold(chunk.subarray(start))
  }

  /** The line that the end of the stream completes, if there is one. */
  end(): Generator<Record<string, unknown>> {
    return this.#take()
  }

  #hold(bytes: Uint8Array): void {
    this.#heldBytes += bytes.length
    if (this.#heldBytes > this.#maxBytes)
      throw new BadLine(`a line of more than ${this.#maxBytes} bytes`)
    if (bytes.length > 0) this.#held.push(bytes)
  }

  *#take(): Generator<Record<string, unknown>> {
    const [first] = this.#held
    if (!first) return
    const bytes = this.#held.length === 1 ? first : Buffer.concat(this.#held)
    this.#held = []
    this.#heldBytes = 0
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString().trim()
    if (text) yield parseObject(text)
  }
}

function parseObject(text: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new BadLine(`a line that is no JSON: ${text.slice(0, 120)}`)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new BadLine(`a line that is no JSON object: ${text.slice(0, 120)}`)
  return value as Record<string, unknown>
}
