import {BadMessage} from './message-reader.ts'

const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

const VALUE = /^[\t -~\x80-\xff]*$/

/** The header lines of a head, read once. */
export class HeaderLines {
  /** Name, value, name, value... as they were written, without the space around values. */
  readonly raw: string[] = []
  readonly #names: string[] = []
  /** Content-Length; -1: none. */
  length = -1
  chunked = false
  /** What all Connection headers list, in lower case. */
  connection = ''

  /**
   * Takes the lines after the first one. BadMessage for names that are none, folded lines, characters that may not be
   * there, and framing that two readers could understand differently; 431 for more than `most` lines.
   */
  constructor(head: string, most: number) {
    for (let eol = head.indexOf('\r\n'); eol >= 0; ) {
      const start = eol + 2
      eol = head.indexOf('\r\n', start)
      const end = eol < 0 ? head.length : eol
      const colon = head.indexOf(':', start)
      const name = colon < 0 || colon > end ? '' : head.slice(start, colon)
      const value = inner(head, colon + 1, end)
      if (!NAME.test(name) || !VALUE.test(value)) throw new BadMessage('a header is not proper')
      if (this.#names.length >= most) throw new BadMessage('too many headers', 431)
      this.#add(name, value)
    }
    if (this.chunked && this.length >= 0)
      throw new BadMessage('Content-Length beside Transfer-Encoding')
  }

  /** By a name in lower case; what stands there several times is joined by a comma. */
  get(name: string): string | undefined {
    const names = this.#names
    const first = names.indexOf(name)
    if (first < 0) return undefined
    let value = this.raw[2 * first + 1]
    for (let at = names.indexOf(name, first + 1); at >= 0; at = names.indexOf(name, at + 1))
      value += `, ${this.raw[2 * at + 1]}`
    return value
  }

  #add(spelt: string, value: string): void {
    const name = spelt.toLowerCase()
    this.raw.push(spelt, value)
    this.#names.push(name)
    if (name === 'content-length') {
      if (this.length >= 0 || !/^\d{1,15}$/.test(value)) throw new BadMessage('bad Content-Length')
      this.length = Number(value)
    } else if (name === 'transfer-encoding') {
      if (this.chunked || value.toLowerCase() !== 'chunked')
        throw new BadMessage('a Transfer-Encoding that is not understood')
      this.chunked = true
    } else if (name === 'connection') this.connection += `,${value.toLowerCase()}`
  }
}

/** Without the spaces and tabs around it, and nothing else: String.trim would take a vertical tab for space, too. */
function inner(text: string, from: number, to: number): string {
  let start = from
  let end = to
  while (start < end && isSpace(text.charCodeAt(start))) start++
  while (end > start && isSpace(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}

const isSpace = (code: number) => code === 32 || code === 9

/** True if a Connection header lists the word. */
export function lists(connection: string, word: string): boolean {
  return connection !== '' && connection.split(',').some((it) => it.trim() === word)
}
