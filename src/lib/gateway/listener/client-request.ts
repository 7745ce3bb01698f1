import {Readable} from 'node:stream'
import type {RequestHead} from '../../http1/request-reader.ts'

/** Who takes a request's body. */
export interface BodyTaker {
  data(bytes: Buffer): void
  end(): void
  /** The client has left before the end; neither of the others is called any more. */
  gone(): void
}

/** What a request may do with its connection, while it is the current one there. */
export interface RequestLink {
  readonly remoteAddress: string
  /** The client may send the body that it holds back. */
  sendContinue(request: ClientRequest): void
  pause(request: ClientRequest): void
  resume(request: ClientRequest): void
}

/** Of a body that nobody has asked for yet so much is held; then the client has to wait. */
const HELD_BYTES = 64 * 1024

/** One request of a client, as its head says; the body comes to whoever takes it. */
export class ClientRequest {
  readonly method: string
  /** As it was sent: as a rule path and query. */
  url: string
  #host: string | undefined
  readonly #head: RequestHead
  readonly #link: RequestLink
  #taker: BodyTaker | undefined
  #held: Buffer[] = []
  #heldBytes = 0
  /** All of it has come. */
  complete = false
  /** The connection is gone. */
  destroyed = false

  constructor(head: RequestHead, link: RequestLink) {
    this.#head = head
    this.#link = link
    this.method = head.method
    this.url = head.target
  }

  /** A header by its name in lower case; what was sent several times is joined by a comma. */
  header(name: string): string | undefined {
    if (name === 'host' && this.#host !== undefined) return this.#host
    return this.#head.headers.get(name)
  }

  /** Takes another target, and Host, than what was sent. */
  redirect(url: string, host: string): void {
    this.url = url
    this.#host = host
  }

  /** The client's address; '' once it has left. */
  get remoteAddress(): string {
    return this.#link.remoteAddress
  }

  /** Name, value, name, value... as they were sent. */
  get rawHeaders(): readonly string[] {
    return this.#head.headers.raw
  }

  /** Bytes of the body; -1: that is not said beforehand. */
  get length(): number {
    return this.#head.length
  }

  /** Takes the body; what has come of it already is given at once. Only the first taker gets it. */
  take(taker: BodyTaker): void {
    if (this.#taker) return
    this.#taker = taker
    for (const bytes of this.#held.splice(0)) taker.data(bytes)
    if (this.destroyed && !this.complete) taker.gone()
    else if (this.complete) taker.end()
    else {
      if (this.#head.expectsContinue) this.#link.sendContinue(this)
      this.#link.resume(this)
    }
  }

  /** The body for those that read at their own pace. */
  stream(): Readable {
    const readable = new Readable({
      read: () => this.#link.resume(this),
      destroy: (error, done) => {
        if (!this.complete) this.#link.pause(this)
        done(error)
      },
    })
    this.take({
      data: (bytes) => {
        if (!readable.push(bytes)) this.#link.pause(this)
      },
      end: () => readable.push(null),
      gone: () => readable.destroy(new Error('the client left before the end of its request')),
    })
    return readable
  }

  /** Reads no more for now. */
  pause(): void {
    this.#link.pause(this)
  }

  /** For the connection alone: more of the body. */
  add(bytes: Buffer): void {
    if (this.#taker) {
      this.#taker.data(bytes)
      return
    }
    this.#held.push(bytes)
    this.#heldBytes += bytes.length
    if (this.#heldBytes > HELD_BYTES) this.#link.pause(this)
  }

  /** For the connection alone: all of it has come. */
  finish(): void {
    this.complete = true
    this.#taker?.end()
  }

  /** For the connection alone: nobody cares for the rest. */
  discard(): void {
    this.#held = []
    this.#taker = NOBODY
  }

  /** For the connection alone: it has closed. */
  lose(): void {
    this.destroyed = true
    if (!this.complete) this.#taker?.gone()
  }
}

const NOBODY: BodyTaker = {data() {}, end() {}, gone() {}}
