import type {Call, Dialect} from '../route.ts'

/** What the end of a stream told: only a stream with its terminal marker was answered whole. */
export type StreamEnd = 'whole' | 'error' | 'cut'

interface Marks {
  /** Text that only the last line of a whole answer holds. */
  readonly done: readonly string[]
  /** Beginnings of a line with which a node reports its own failure. */
  readonly errors: readonly string[]
  /** The marks stand at the beginning of a line; else anywhere in it (where JSON escapes protect them). */
  readonly atLineStart: boolean
}

const OLLAMA: Marks = {done: ['"done":true'], errors: ['{"error"'], atLineStart: false}
const OPENAI: Marks = {done: ['data: [DONE]'], errors: ['data: {"error"'], atLineStart: true}
const RESPONSES: Marks = {
  done: ['event: response.completed', 'event: response.incomplete'],
  errors: ['event: response.failed', 'event: error'],
  atLineStart: true,
}
const ANTHROPIC: Marks = {
  done: ['event: message_stop'],
  errors: ['event: error'],
  atLineStart: true,
}

const NEWLINE = 10
/** Longer than any mark. */
const CARRY = 32

/** Watches a stream go by for its terminal marker and for error lines; it keeps no more than a few bytes. */
export class MarkerWatch {
  readonly #marks: Marks
  #end: StreamEnd = 'cut'
  /** The end of a line that was not whole yet, and whether it is the line's beginning too. */
  #carry: {readonly bytes: Buffer; readonly atLineStart: boolean} | undefined

  constructor(dialect: Dialect, call: Call) {
    this.#marks =
      dialect === 'ollama'
        ? OLLAMA
        : dialect === 'anthropic'
          ? ANTHROPIC
          : call === 'responses'
            ? RESPONSES
            : OPENAI
  }

  get end(): StreamEnd {
    return this.#end
  }

  push(chunk: Buffer): void {
    if (chunk.length === 0) return
    const {bytes: carried, atLineStart} = this.#carry ?? {atLineStart: true}
    // Lines end with pieces as a rule: only after one that was cut in two is anything copied.
    const bytes = carried ? Buffer.concat([carried, chunk]) : chunk
    this.#look(bytes, atLineStart)
    if (bytes[bytes.length - 1] === NEWLINE) {
      this.#carry = undefined
      return
    }
    const newline = bytes.lastIndexOf(NEWLINE)
    const rest = bytes.subarray(newline + 1)
    this.#carry =
      rest.length > CARRY
        ? {bytes: rest.subarray(-CARRY), atLineStart: false}
        : {bytes: rest, atLineStart: newline >= 0 || atLineStart}
  }

  #look(bytes: Buffer, atLineStart: boolean): void {
    const {done, errors, atLineStart: strict} = this.#marks
    for (const error of errors) if (startsLine(bytes, error, atLineStart)) this.#end = 'error'
    for (const mark of done) {
      const found = strict ? startsLine(bytes, mark, atLineStart) : bytes.includes(mark)
      if (found) this.#end = 'whole'
    }
  }
}

/** True if a line of these bytes begins with the text. */
function startsLine(bytes: Buffer, text: string, atLineStart: boolean): boolean {
  for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text, at + 1)) {
    if (at === 0 ? atLineStart : bytes[at - 1] === NEWLINE) return true
  }
  return false
}
