import {STATUS_CODES} from 'node:http'
import type {Socket} from 'node:net'
import {dateLine} from './date-line.ts'

/** What the connection has to know of an answer. */
export interface ResponseLink {
  /** The answer is on its way in full. */
  answered(): void
}

export interface ResponseOptions {
  readonly socket: Socket
  readonly link: ResponseLink
  /** It is one to HEAD. */
  readonly bodyless: boolean
  readonly minor: 0 | 1
  readonly keeps: boolean
  /** How long an idle connection is kept, which clients like to know. */
  readonly keepAliveMs: number
}

/** Pieces up to this size are copied into one write with their head and their framing. */
const JOINED_BYTES = 16 * 1024
const UNSAFE = /[^\t -~\x80-\xff]/g
const SAFE = /^[\t -~\x80-\xff]*$/

/**
 * The answer to one request. What is written in one turn of the event loop goes out in one write, as one text of Latin-1,
 * which stands for bytes: Node passes that on fastest.
 */
export class ClientResponse {
  readonly #options: ResponseOptions
  #listeners: {readonly event: 'close' | 'drain'; readonly listener: () => void}[] = []
  #pending = ''
  #scheduled = false
  #chunked = false
  #closed = false
  statusCode = 0
  headersSent = false
  writableEnded = false
  /** The connection is gone. */
  destroyed = false
  /** The connection ends with this answer. */
  closes: boolean

  constructor(options: ResponseOptions) {
    this.#options = options
    this.closes = !options.keeps
  }

  /** What was written has not been taken yet: wait for `drain`. */
  get writableNeedDrain(): boolean {
    return this.#options.socket.writableNeedDrain
  }

  /** `close`: the answer has been sent, or the connection is gone; comes once. */
  once(event: 'close' | 'drain', listener: () => void): void {
    this.#listeners.push({event, listener})
  }

  removeListener(event: 'close' | 'drain', listener: () => void): void {
    this.#listeners = this.#listeners.filter((it) => it.event !== event || it.listener !== listener)
  }

  /** `headers`: name, value, name, value... Without a length the body goes out in chunks. Sent with what follows. */
  writeHead(status: number, headers: readonly string[]): void {
    if (this.headersSent) return
    const {bodyless, minor, keepAliveMs} = this.#options
    let lines = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n`
    let sized = bodyless || status === 204 || status === 304
    for (let at = 0; at + 1 < headers.length; at += 2) {
      const name = headers[at] ?? ''
      const value = headers[at + 1] ?? ''
      lines += `${name}: ${SAFE.test(value) ? value : value.replace(UNSAFE, '?')}\r\n`
      if (name.length === 14 && name.toLowerCase() === 'content-length') sized = true
    }
    this.#chunked = !sized && minor === 1
    if (!sized && minor === 0) this.closes = true
    lines += dateLine()
    lines += this.closes
      ? 'Connection: close\r\n'
      : `Connection: keep-alive\r\nKeep-Alive: timeout=${Math.floor(keepAliveMs / 1000)}\r\n`
    this.#pending = `${lines}${this.#chunked ? 'Transfer-Encoding: chunked\r\n' : ''}\r\n`
    this.headersSent = true
    this.statusCode = status
  }

  /** False: the client is slow, and more should wait for `drain`. */
  write(piece: Buffer | string): boolean {
    this.#add(piece)
    if (this.#pending.length > JOINED_BYTES) this.#flush()
    else if (!this.#scheduled) {
      this.#scheduled = true
      queueMicrotask(this.#flushLater)
    }
    return !this.writableNeedDrain
  }

  end(piece?: Buffer | string): void {
    if (this.writableEnded || this.destroyed) return
    if (!this.headersSent) this.writeHead(200, ['Content-Length', `${piece?.length ?? 0}`])
    if (piece !== undefined) this.#add(piece)
    if (this.#chunked) this.#pending += '0\r\n\r\n'
    this.writableEnded = true
    this.#flush()
    const {socket} = this.#options
    if (socket.writableLength === 0) queueMicrotask(this.#finish)
    // Behind all that still waits.
    else socket.write('', this.#finish)
  }

  /** Breaks the connection off. */
  destroy(): void {
    this.#options.socket.destroy()
  }

  /** For the connection alone. */
  drained(): void {
    this.#tell('drain')
  }

  /** For the connection alone: it has closed. */
  lose(): void {
    this.destroyed = true
    this.#close()
  }

  #add(piece: Buffer | string): void {
    if (this.destroyed || this.#options.bodyless || piece.length === 0) return
    const bytes = typeof piece === 'string' ? Buffer.from(piece) : piece
    const {length} = bytes
    const frame = this.#chunked ? `${length.toString(16)}\r\n` : ''
    const end = this.#chunked ? '\r\n' : ''
    if (length <= JOINED_BYTES) {
      this.#pending += `${frame}${bytes.toString('latin1')}${end}`
      return
    }
    const {socket} = this.#options
    socket.cork()
    this.#pending += frame
    this.#flush()
    socket.write(bytes)
    this.#pending = end
    this.#flush()
    socket.uncork()
  }

  readonly #flushLater = () => {
    this.#scheduled = false
    this.#flush()
  }

  #flush(): void {
    if (this.#pending === '') return
    const text = this.#pending
    this.#pending = ''
    if (!this.destroyed) this.#options.socket.write(text, 'latin1')
  }

  readonly #finish = () => {
    if (this.destroyed) return
    this.#close()
    this.#options.link.answered()
  }

  #close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#tell('close')
  }

  #tell(event: 'close' | 'drain'): void {
    const all = this.#listeners
    this.#listeners = all.filter((it) => it.event !== event)
    for (const it of all) if (it.event === event) it.listener()
  }
}
