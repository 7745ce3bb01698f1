import type {IncomingMessage} from 'node:http'

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

/**
 * Reads a body into one buffer. Throws TooLarge as soon as it is clear, and ClientGone when the client leaves
 * before its end, SlowBody when it comes drop by drop.
 */
export function readBody(
  request: IncomingMessage,
  {maxBodyBytes: maxBytes, bodyTimeoutMs}: BodyLimits,
): Promise<Buffer> {
  const length = Number(request.headers['content-length'] ?? -1)
  if (length > maxBytes) return Promise.reject(new TooLarge(`more than ${maxBytes} bytes`))
  return new Promise((resolve, reject) => {
    let first: Buffer | undefined
    let whole: Buffer | undefined
    let chunks: Buffer[] | undefined
    let bytes = 0
    let seen = 0
    // As a rule the body came with the head, and is read to its end before the next tick: no clock is needed.
    let timer: NodeJS.Timeout | undefined
    const look = () => {
      if (bytes - seen < LEAST_BYTES) reject(new SlowBody('the body comes too slowly'))
      seen = bytes
    }
    process.nextTick(() => {
      if (!request.complete && !request.destroyed) timer = setInterval(look, bodyTimeoutMs)
    })
    request.on('data', (chunk: Buffer) => {
      const before = bytes
      bytes += chunk.length
      if (bytes > maxBytes) {
        request.pause()
        reject(new TooLarge(`more than ${maxBytes} bytes`))
        return
      }
      if (before === 0) first = chunk
      else if (length >= 0) {
        // Sent with its length: copied once, into its place.
        if (!whole) {
          whole = Buffer.allocUnsafe(length)
          first?.copy(whole)
        }
        chunk.copy(whole, before)
      } else {
        chunks ??= [first ?? Buffer.alloc(0)]
        chunks.push(chunk)
      }
    })
    request.once('end', () => {
      clearInterval(timer)
      resolve(whole ?? (chunks ? Buffer.concat(chunks) : (first ?? Buffer.alloc(0))))
    })
    request.once('error', () => reject(gone()))
    request.once('close', () => {
      clearInterval(timer)
      if (!request.complete) reject(gone())
    })
  })
}

/** The client has left; there is nobody to tell. */
export class ClientGone extends Error {
  override readonly name = 'ClientGone'
}

const gone = () => new ClientGone('the client left before the end of its request')
