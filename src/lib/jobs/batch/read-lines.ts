import {isUtf8} from 'node:buffer'

/** A line of an input that is not blank. */
export interface InputLine {
  /** From 1 on; blank ones count. */
  readonly line: number
  /** Absent: it cannot be read as text, and `broken` says why. */
  readonly text?: string
  readonly broken?: string
}

/** As much as the gateway takes for one request. */
const MAX_LINE_BYTES = 128 * 1024 * 1024

const NEWLINE = 10

/** The lines of a stream of bytes, one after the other; no more is held than one line and one chunk. */
export async function* readLines(
  chunks: AsyncIterable<Uint8Array>,
  maxBytes = MAX_LINE_BYTES,
): AsyncGenerator<InputLine> {
  let held: Uint8Array[] = []
  let bytes = 0
  let line = 0
  const hold = (part: Uint8Array) => {
    bytes += part.length
    // What is too long is only counted.
    if (bytes > maxBytes) held = []
    else if (part.length > 0) held.push(part)
  }
  const take = (): InputLine | undefined => {
    line++
    const read = bytes > maxBytes ? tooLong(maxBytes) : decode(held, line === 1)
    held = []
    bytes = 0
    return read && {line, ...read}
  }
  for await (const chunk of chunks) {
    let start = 0
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      hold(chunk.subarray(start, end))
      start = end + 1
      const whole = take()
      if (whole) yield whole
    }
    hold(chunk.subarray(start))
  }
  const last = bytes > 0 ? take() : undefined
  if (last) yield last
}

const tooLong = (maxBytes: number) => ({broken: `longer than ${maxBytes} bytes`})

function decode(parts: readonly Uint8Array[], first: boolean) {
  const whole = Buffer.concat(parts)
  if (!isUtf8(whole)) return {broken: 'no UTF-8'}
  const text = whole.toString('utf8')
  // Some editors of Windows put a mark before the first line.
  const trimmed = (first ? text.replace(/^\uFEFF/, '') : text).trim()
  return trimmed === '' ? undefined : {text: trimmed}
}
