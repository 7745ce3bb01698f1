import {BadMessage} from './message-reader.ts'

const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

const VALUE = /^[\t -~\x80-\xff]*$/

/** One that has no part in framing, taken apart. */
interface Line {
  readonly spelt: string
  /** In lower case. */
  readonly name: string
  readonly value: string
}

/**
 * Lines that came before: nearly all of a head are those of the one before it, and to know them takes a third of the time
 * that reading them does.
 */
const known = new Map<string, Line>()
const MOST_KNOWN = 512
const LONGEST_KNOWN = 128
/** Nobody's secrets are kept, nor what is another one each time. */
const NOT_KEPT = new Set(['authorization', 'x-api-key', 'cookie', 'proxy-authorization', 'date'])

/** The header lines of a head, read once. */
export class HeaderLines {
  /** Name, value, name, value... as they were written, without the space around values. */
  readonly raw: string[] = []
  /** The names in lower case. */
  readonly names: string[] = []
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
      if (this.names.length >= most) throw new BadMessage('too many headers', 431)
      const line = end - start <= LONGEST_KNOWN ? known.get(head.slice(start, end)) : undefined
      if (line) {
        this.raw.push(line.spelt, line.value)
        this.names.push(line.name)
        continue
      }
      const colon = head.indexOf(':', start)
      const name = colon < 0 || colon > end ? '' : head.slice(start, colon)
      const value = inner(head, colon + 1, end)
      if (!NAME.test(name) || !VALUE.test(value)) throw new BadMessage('a header is not proper')
      if (this.#add(name, value) && end - start === name.length + value.length + 2)
        remember(name, value)
    }
    if (this.chunked && this.length >= 0)
      throw new BadMessage('Content-Length beside Transfer-Encoding')
  }

  /** By a name in lower case; what stands there several times is joined by a comma. */
  get(name: string): string | undefined {
    const {names} = this
    const first = names.indexOf(name)
    if (first < 0) return undefined
    let value = this.raw[2 * first + 1]
    for (let at = names.indexOf(name, first + 1); at >= 0; at = names.indexOf(name, at + 1))
      value += `, ${this.raw[2 * at + 1]}`
    return value
  }

  /** False: it has a part in framing, and is to be looked at each time. */
  #add(spelt: string, value: string): boolean {
    const name = spelt.toLowerCase()
    this.raw.push(spelt, value)
    this.names.push(name)
    if (name === 'content-length') {
      if (this.length >= 0 || !/^\d{1,15}$/.test(value)) throw new BadMessage('bad Content-Length')
      this.length = Number(value)
    } else if (name === 'transfer-encoding') {
      if (this.chunked || value.toLowerCase() !== 'chunked')
        throw new BadMessage('a Transfer-Encoding that is not understood')
      this.chunked = true
    } else if (name === 'connection') this.connection += `,${value.toLowerCase()}`
    else return true
    return false
  }
}

function remember(spelt: string, value: string): void {
  const name = spelt.toLowerCase()
  const length = spelt.length + value.length + 2
  if (length > LONGEST_KNOWN || NOT_KEPT.has(name)) return
  if (known.size >= MOST_KNOWN) known.clear()
  // Texts of their own: a piece of a head would keep all of it in memory.
  const line = Buffer.from(`${spelt}: ${value}`, 'latin1').toString('latin1')
  known.set(line, {
    spelt: line.slice(0, spelt.length),
    name: Buffer.from(name, 'latin1').toString('latin1'),
    value: line.slice(spelt.length + 2),
  })
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
