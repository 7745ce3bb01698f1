import type {Call, Dialect} from '../route.ts'

/** What the end of a stream told: only a stream with its terminal marker was answered whole. */
export type StreamEnd = 'whole' | 'error' | 'cut'

interface Marks {
  /**
   * Beginnings of the line that ends a whole answer; none: the last field `done` tells. What a tool is called with stands
   * in the answer as it is, names of fields and all, but before that.
   */
  readonly done: readonly string[]
  /** Beginnings of a line with which a node reports its own failure. */
  readonly errors: readonly string[]
  /** How a piece begins and ends that is one token and nothing else, which nearly all are: known without a search. */
  readonly token?: {readonly begins: Buffer; readonly ends: Buffer}
}

const OLLAMA: Marks = {
  done: [],
  errors: ['{"error"'],
  token: {begins: Buffer.from('{"model":'), ends: Buffer.from('"done":false}\n')},
}
const OPENAI: Marks = {
  done: ['data: [DONE]'],
  errors: ['data: {"error"'],
  token: {begins: Buffer.from('data: {"id":'), ends: Buffer.from('}\n\n')},
}
const RESPONSES: Marks = {
  done: ['event: response.completed', 'event: response.incomplete'],
  errors: ['event: response.failed', 'event: error'],
}
const ANTHROPIC: Marks = {done: ['event: message_stop'], errors: ['event: error']}

const FIELD = '"done":'
/** Of `true`. */
const T = 0x74

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
    // An error that was told is not taken back.
    if (this.#end === 'error') return
    const {done, errors, token} = this.#marks
    if (token && atLineStart && isToken(bytes, token)) {
      // Of Ollama the last piece tells; of the others what has told the end is not taken back.
      if (done.length === 0) this.#end = 'cut'
      return
    }
    if (done.length === 0) {
      const at = bytes.lastIndexOf(FIELD)
      if (at >= 0) this.#end = bytes[at + FIELD.length] === T ? 'whole' : 'cut'
    }
    for (const mark of done) if (startsLine(bytes, mark, atLineStart)) this.#end = 'whole'
    for (const error of errors) if (startsLine(bytes, error, atLineStart)) this.#end = 'error'
  }
}

/** True if it is one whole line or event, which tells neither an end nor an error. */
function isToken(bytes: Buffer, {begins, ends}: NonNullable<Marks['token']>): boolean {
  const rest = bytes.length - ends.length
  if (rest < begins.length || !stands(begins, bytes, 0) || !stands(ends, bytes, rest)) return false
  // Its first line is its only one.
  return bytes.indexOf(NEWLINE) === rest + ends.indexOf(NEWLINE)
}

/** For a few bytes: a native comparison takes longer to call than to do. */
function stands(what: Buffer, bytes: Buffer, from: number): boolean {
  for (let at = 0; at < what.length; at++) if (bytes[from + at] !== what[at]) return false
  return true
}

/** True if a line of these bytes begins with the text. */
function startsLine(bytes: Buffer, text: string, atLineStart: boolean): boolean {
  for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text, at + 1)) {
    if (at === 0 ? atLineStart : bytes[at - 1] === NEWLINE) return true
  }
  return false
}
