import type {IncomingMessage} from 'node:http'

/** Longest pause in the sending of a body. */
const IDLE_MS = 30_000

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
 * before its end, SlowBody when nothing comes for 30 s.
 */
export function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const length = Number(request.headers['content-length'] ?? -1)
  if (length > maxBytes) return Promise.reject(new TooLarge(`more than ${maxBytes} bytes`))
  return new Promise((resolve, reject) => {
    let first: Buffer | undefined
    let whole: Buffer | undefined
    let chunks: Buffer[] | undefined
    let bytes = 0
    // As a rule the body came with the head, and is read to its end before the next tick: no clock is needed.
    let timer: NodeJS.Timeout | undefined
    const late = () => reject(new SlowBody('nothing of the body came for 30 s'))
    process.nextTick(() => {
      if (!request.complete && !request.destroyed) timer = setTimeout(late, IDLE_MS)
    })
    request.on('data', (chunk: Buffer) => {
      if (bytes > 0) timer?.refresh()
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
      clearTimeout(timer)
      resolve(whole ?? (chunks ? Buffer.concat(chunks) : (first ?? Buffer.alloc(0))))
    })
    request.once('error', reject)
    request.once('close', () => {
      clearTimeout(timer)
      if (!request.complete) reject(new ClientGone('the client left before the end of its request'))
    })
  })
}

/** The client has left; there is nobody to tell. */
export class ClientGone extends Error {
  override readonly name = 'ClientGone'
}
