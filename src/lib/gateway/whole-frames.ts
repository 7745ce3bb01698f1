import type {Dialect} from './route.ts'

const EMPTY = Buffer.alloc(0)
const NEWLINE = 10
/** A frame that is longer than this goes on as it comes. */
const MAX_FRAME_BYTES = 1024 * 1024

/**
 * Passes a stream on in whole frames (lines of JSON, events of SSE), so that what a node did not finish never stands before
 * the words that tell of it, which no client could read then. What came whole, which is the rule, is not copied.
 */
export class WholeFrames {
  readonly #ends: readonly string[]
  #held: Buffer[] = []
  #heldBytes = 0

  constructor(dialect: Dialect) {
    this.#ends = dialect === 'ollama' ? ['\n'] : ['\n\n', '\r\n\r\n']
  }

  /** Takes what a node sent; gives what the client is to get of it now. */
  push(chunk: Buffer): Buffer {
    if (this.#heldBytes === 0 && this.#endsFrame(chunk)) return chunk
    this.#held.push(chunk)
    this.#heldBytes += chunk.length
    // Without a newline there is no end, and what has come before is not looked at again and again.
    if (chunk.includes(NEWLINE)) {
      const all = this.rest()
      const end = Math.max(...this.#ends.map((mark) => endOf(all, mark)))
      this.#held = end < all.length ? [all.subarray(end)] : []
      this.#heldBytes = all.length - end
      if (end > 0) return all.subarray(0, end)
    }
    return this.#heldBytes > MAX_FRAME_BYTES ? this.rest() : EMPTY
  }

  /** What is held, which is held no longer: all that came, where it has ended well. */
  rest(): Buffer {
    const all = Buffer.concat(this.#held)
    this.#held = []
    this.#heldBytes = 0
    return all
  }

  #endsFrame(chunk: Buffer): boolean {
    const {length} = chunk
    if (chunk[length - 1] !== NEWLINE) return false
    return this.#ends[0] === '\n' || chunk[length - 2] === NEWLINE
  }
}

/** Where the last such mark ends; 0: there is none. */
function endOf(bytes: Buffer, mark: string): number {
  const at = bytes.lastIndexOf(mark)
  return at < 0 ? 0 : at + mark.length
}
