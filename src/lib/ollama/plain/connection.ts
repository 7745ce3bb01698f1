import {connect, type Socket} from 'node:net'
import {AnswerReader, type AnswerSink} from '../../http1/answer-reader.ts'
import {type Phase, transportError, waitedTooLong} from '../errors.ts'
import type {UpstreamControl, UpstreamHandler} from '../upstream.ts'

/** Where a node listens. */
export type Address = {readonly host: string; readonly port: number} | {readonly path: string}

/** Who keeps connections. */
export interface Keeper {
  /** It can carry another request. */
  free(connection: Connection): void
  /** It is no more. */
  gone(connection: Connection): void
}

/** For a connection to stand; also where undici opens it. */
export const CONNECT_MS = 5000
/**
 * All connections read into it, one after the other: reading is done with a piece before the next read, and keeps copies of
 * what it passes on. Node would take 64 KiB anew for each read.
 */
const SHARED = Buffer.allocUnsafeSlow(64 * 1024)

/** A request as it goes over the wire. */
export interface Sent {
  readonly head: string
  /** The body. */
  readonly pieces: readonly Uint8Array[]
  /** Of all pieces together. */
  readonly bytes: number
  /** The answer has no body: it is one to HEAD. */
  readonly bodyless: boolean
}

/** Bodies up to this size are copied behind their head, into one write. */
const ONE_WRITE_BYTES = 16 * 1024

/** One TCP connection to a node: one request at a time, never pipelined. */
export class Connection implements AnswerSink {
  readonly #socket: Socket
  readonly #keeper: Keeper
  readonly #reader = new AnswerReader(this)
  #handler: UpstreamHandler | undefined
  #phase: Phase = 'connect'
  #timer: NodeJS.Timeout | undefined
  #error: unknown
  /** When it became free; ms of the clock that never jumps. */
  freeSinceMs = 0

  constructor(address: Address, keeper: Keeper) {
    this.#keeper = keeper
    this.#socket = connect({
      ...address,
      noDelay: true,
      onread: {buffer: SHARED, callback: (bytes) => this.#read(bytes)},
    })
    this.#timer = setTimeout(
      () => this.#socket.destroy(waitedTooLong('connect', CONNECT_MS)),
      CONNECT_MS,
    )
    this.#socket.once('connect', () => {
      clearTimeout(this.#timer)
      if (this.#handler) this.#phase = 'headers'
    })
    this.#socket.on('error', (error) => {
      this.#error = error
    })
    this.#socket.once('close', () => this.#closed())
  }

  /** Sends a request; only while it has none. */
  send({head, pieces, bytes, bodyless}: Sent, handler: UpstreamHandler): void {
    const socket = this.#socket
    this.#handler = handler
    if (!socket.connecting) this.#phase = 'headers'
    this.#reader.begin(bodyless)
    handler.started(new Control(this, handler))
    if (this.#handler !== handler) return
    if (bytes <= ONE_WRITE_BYTES) {
      const all = Buffer.allocUnsafe(head.length + bytes)
      let at = all.write(head, 0, 'latin1')
      for (const piece of pieces) {
        all.set(piece, at)
        at += piece.length
      }
      socket.write(all)
    } else {
      socket.cork()
      socket.write(head, 'latin1')
      for (const piece of pieces) if (piece.length > 0) socket.write(piece)
      socket.uncork()
    }
  }

  /** Ends it; the request that it carries, if any, is not told. */
  destroy(): void {
    this.#handler = undefined
    this.#socket.destroy()
  }

  /** As `destroy`, if it still carries that request. */
  abort(handler: UpstreamHandler): void {
    if (this.#handler === handler) this.destroy()
  }

  pause(handler: UpstreamHandler): void {
    if (this.#handler === handler) this.#socket.pause()
  }

  resume(handler: UpstreamHandler): void {
    if (this.#handler === handler) this.#socket.resume()
  }

  /** Ends it and fails its request. */
  fail(error: unknown): void {
    this.#error = error
    this.#socket.destroy()
  }

  head(status: number, headers: readonly string[]): void {
    this.#phase = 'body'
    this.#handler?.head(status, headers)
  }

  data(bytes: Buffer): void {
    this.#handler?.data(Buffer.from(bytes))
  }

  #ended(alone: boolean): void {
    const handler = this.#handler
    this.#handler = undefined
    // A node may answer before it has read all of the request; what is left of that would precede the next one.
    const {destroyed, writableLength} = this.#socket
    if (alone && this.#reader.reusable && writableLength === 0 && !destroyed) {
      if (this.#socket.isPaused()) this.#socket.resume()
      this.#keeper.free(this)
    } else this.#socket.destroy()
    handler?.end(writableLength === 0)
  }

  /** Returns whether to read on. */
  #read(bytes: number): boolean {
    const handler = this.#handler
    try {
      const read = this.#reader.push(SHARED.subarray(0, bytes))
      // What follows belongs to no request, and must not be taken for the answer to the next one.
      if (this.#reader.done) this.#ended(read === bytes)
    } catch (error) {
      // No HTTP, or a bug of ours: whoever waits for the answer is told.
      this.#handler ??= handler
      this.fail(error)
    }
    return !this.#socket.isPaused()
  }

  #closed(): void {
    clearTimeout(this.#timer)
    this.#keeper.gone(this)
    const handler = this.#handler
    this.#handler = undefined
    if (!this.#error && this.#reader.closed()) handler?.end(false)
    else handler?.fail(transportError(this.#error ?? CLOSED, this.#phase))
  }
}

const CLOSED = Object.assign(new Error('the connection was closed'), {code: 'ECONNRESET'})

/** What the sender of a request holds: without effect once the connection carries another one. */
class Control implements UpstreamControl {
  readonly #connection: Connection
  readonly #handler: UpstreamHandler

  constructor(connection: Connection, handler: UpstreamHandler) {
    this.#connection = connection
    this.#handler = handler
  }

  pause(): void {
    this.#connection.pause(this.#handler)
  }

  resume(): void {
    this.#connection.resume(this.#handler)
  }

  abort(): void {
    this.#connection.abort(this.#handler)
  }
}
