import {joined} from '../joined.ts'
import type {ClientRequest} from '../listener/client-request.ts'
import type {BodyBuffers} from './body-buffers.ts'

/** At least so much of a body, or all that is left of it, has to come in each period. */
const LEAST_BYTES = 16 * 1024

/** How much is read, and how slowly it may come. */
export interface BodyLimits {
  readonly maxBodyBytes: number
  /** A body of which less than 16 KB has come in so long is given up. */
  readonly bodyTimeoutMs: number
}

/** A body that does not come on. */
export class SlowBody extends Error {
  override readonly name = 'SlowBody'
}

/** More than is read. */
export class TooLarge extends Error {
  override readonly name = 'TooLarge'
}

/** Who gets a body that is read: one of these is called, once. */
export interface BodyReader {
  done(body: Buffer): void
  /** TooLarge as soon as it is clear, ClientGone when the client leaves before its end, SlowBody when it comes drop by drop. */
  failed(error: unknown): void
}

/** Reads a body into one buffer, of `buffers` if given. */
export function takeBody(
  request: ClientRequest,
  {limits, buffers}: {readonly limits: BodyLimits; readonly buffers?: BodyBuffers | undefined},
  reader: BodyReader,
): void {
  const {length} = request
  const {maxBodyBytes, bodyTimeoutMs} = limits
  const tooLarge = () => new TooLarge(`more than ${maxBodyBytes} bytes`)
  if (length > maxBodyBytes) {
    reader.failed(tooLarge())
    return
  }
  const body = new Collected(length, buffers)
  let over = false
  let seen = 0
  let timer: NodeJS.Timeout | undefined
  const end = () => {
    clearInterval(timer)
    const first = !over
    over = true
    return first
  }
  const fail = (error: Error) => {
    if (end()) reader.failed(error)
  }
  const look = () => {
    if (body.bytes - seen < LEAST_BYTES) fail(new SlowBody('the body comes too slowly'))
    seen = body.bytes
  }
  request.take({
    data(bytes) {
      if (over) return
      body.add(bytes)
      if (body.bytes <= maxBodyBytes) return
      request.pause()
      fail(tooLarge())
    },
    end() {
      if (end()) reader.done(body.whole())
    },
    gone: () => fail(new ClientGone('the client left before the end of its request')),
  })
  // As a rule the body came with the head, and is there at once: no clock is needed.
  queueMicrotask(() => {
    if (!over) timer = setInterval(look, bodyTimeoutMs)
  })
}

/** As `takeBody`, for those that wait. */
export function readBody(request: ClientRequest, limits: BodyLimits): Promise<Buffer> {
  return new Promise((resolve, reject) =>
    takeBody(request, {limits}, {done: resolve, failed: reject}),
  )
}

/** Pieces of a body; sent with its length, it is copied once, into its place. */
class Collected {
  readonly #length: number
  readonly #buffers: BodyBuffers | undefined
  #whole: Buffer | undefined
  #pieces: Buffer[] = []
  bytes = 0

  constructor(length: number, buffers: BodyBuffers | undefined) {
    this.#length = length
    this.#buffers = buffers
  }

  add(bytes: Buffer): void {
    const before = this.bytes
    this.bytes += bytes.length
    if (this.#length < 0 || bytes.length === this.#length) {
      this.#pieces.push(bytes)
      return
    }
    this.#whole ??= this.#buffers?.take(this.#length) ?? Buffer.allocUnsafe(this.#length)
    bytes.copy(this.#whole, before)
  }

  whole(): Buffer {
    return this.#whole ?? joined(this.#pieces)
  }
}

/** The client has left; there is nobody to tell. */
export class ClientGone extends Error {
  override readonly name = 'ClientGone'
}
