import type {Socket} from 'node:net'
import {BadMessage} from '../../http1/message-reader.ts'
import {type RequestHead, RequestReader} from '../../http1/request-reader.ts'
import {ClientRequest, type RequestLink} from './client-request.ts'
import {ClientResponse, type ResponseLink} from './client-response.ts'

export interface ConnectionOptions {
  readonly maxHeadBytes: number
  readonly maxHeaders: number
  /** For a request's head, and for what nobody wants of a body, to come in full. */
  readonly headersTimeoutMs: number
  /** Between requests. */
  readonly keepAliveMs: number
  readonly onRequest: (request: ClientRequest, response: ClientResponse) => void
  readonly onClose: (connection: ClientConnection) => void
}

/** A client may have sent so much of its next request before the answer to this one is there. */
const AHEAD_BYTES = 64 * 1024
/** How long a client that was refused may go on to send, so that it reads why before the connection breaks. */
const LINGER_MS = 2000

/** A request, the one after it, what is left of one that was refused, or the end of the connection. */
type Awaited = 'request' | 'next' | 'rest' | 'end'

/** A client's connection: one request after the other, each answered before the next is looked at. */
export class ClientConnection implements RequestLink, ResponseLink {
  readonly #socket: Socket
  readonly #options: ConnectionOptions
  readonly #reader: RequestReader
  #request: ClientRequest | undefined
  #response: ClientResponse | undefined
  /** What has come of the next request. */
  #ahead: Buffer | undefined
  /** Since when it waits for a request, or for the rest of one; ms of the clock that never jumps. */
  #sinceMs = performance.now()
  #awaits: Awaited = 'request'
  /** Nothing more is answered here. */
  #over = false

  constructor(socket: Socket, options: ConnectionOptions) {
    this.#socket = socket
    this.#options = options
    this.#reader = new RequestReader(
      {head: (head) => this.#begin(head), data: (bytes) => this.#request?.add(bytes)},
      options,
    )
    socket.on('data', (chunk) => this.#take(chunk as Buffer))
    socket.on('drain', () => this.#response?.drained())
    // What comes of it is `close`.
    socket.on('error', () => {})
    socket.once('close', () => this.#closed())
  }

  /** No request is under way. */
  get idle(): boolean {
    return this.#response === undefined
  }

  get remoteAddress(): string {
    return this.#socket.remoteAddress ?? ''
  }

  destroy(): void {
    this.#socket.destroy()
  }

  /** Looks at the clock. */
  check(nowMs: number): void {
    if (this.#response) return
    const {headersTimeoutMs, keepAliveMs} = this.#options
    const limitMs = {
      request: headersTimeoutMs,
      rest: headersTimeoutMs,
      next: keepAliveMs,
      end: LINGER_MS,
    }
    if (nowMs - this.#sinceMs < limitMs[this.#awaits]) return
    if (this.#awaits === 'request') this.#refuse('408 Request Timeout')
    else this.#socket.destroy()
  }

  #take(chunk: Buffer): void {
    if (this.#over) return
    if (this.#response && this.#reader.done) {
      this.#ahead = this.#ahead ? Buffer.concat([this.#ahead, chunk]) : chunk
      if (this.#ahead.length > AHEAD_BYTES) this.#socket.pause()
      return
    }
    try {
      this.#read(chunk)
    } catch (error) {
      if (!(error instanceof BadMessage)) throw error
      this.#refuse(error.status === 431 ? '431 Request Header Fields Too Large' : '400 Bad Request')
    }
  }

  #read(chunk: Buffer): void {
    const reader = this.#reader
    if (reader.done) {
      reader.begin()
      this.#wait('request')
    }
    const at = reader.push(chunk)
    if (!reader.done || this.#over) return
    if (at < chunk.length) this.#ahead = chunk.subarray(at)
    this.#request?.finish()
    if (!this.#response) this.#next()
  }

  #begin(head: RequestHead): void {
    if (head.expectsOther) {
      this.#refuse('417 Expectation Failed')
      return
    }
    const request = new ClientRequest(head, this)
    const response = new ClientResponse({
      socket: this.#socket,
      link: this,
      bodyless: head.method === 'HEAD',
      minor: head.minor,
      keeps: head.keeps,
      keepAliveMs: this.#options.keepAliveMs,
    })
    this.#request = request
    this.#response = response
    this.#options.onRequest(request, response)
  }

  sendContinue(request: ClientRequest): void {
    if (this.#request === request && this.#response?.headersSent === false)
      this.#socket.write('HTTP/1.1 100 Continue\r\n\r\n')
  }

  pause(request: ClientRequest): void {
    if (this.#request === request) this.#socket.pause()
  }

  resume(request: ClientRequest): void {
    if (this.#request === request && this.#socket.isPaused()) this.#socket.resume()
  }

  answered(): void {
    const closes = this.#response?.closes
    const request = this.#request
    this.#response = undefined
    if (this.#socket.isPaused()) this.#socket.resume()
    if (closes) {
      this.#end()
      return
    }
    // The rest of what was not wanted has to be out of the way before the next request.
    if (!this.#reader.done) {
      request?.discard()
      this.#wait('rest')
    } else this.#next()
  }

  #next(): void {
    this.#request = undefined
    this.#wait('next')
    const ahead = this.#ahead
    this.#ahead = undefined
    if (ahead) this.#take(ahead)
  }

  #wait(what: Awaited): void {
    this.#sinceMs = performance.now()
    this.#awaits = what
  }

  #refuse(status: string): void {
    const response = this.#response
    this.#request?.lose()
    if (response?.headersSent) {
      this.#socket.destroy()
      return
    }
    this.#socket.write(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
    this.#response = undefined
    this.#end()
    response?.lose()
  }

  /** Sends no more; what still comes is not looked at. */
  #end(): void {
    this.#over = true
    this.#wait('end')
    this.#socket.end()
  }

  #closed(): void {
    this.#over = true
    this.#options.onClose(this)
    this.#request?.lose()
    this.#response?.lose()
  }
}
