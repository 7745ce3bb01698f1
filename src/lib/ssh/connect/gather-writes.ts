import type {Duplex} from 'node:stream'

/**
 * Makes what is written to a stream in one turn leave it in one piece. ssh2 writes length, content and tag of each
 * packet by itself: three system calls, and as many small TCP segments, for what is one.
 */
export function gatherWrites(stream: Duplex): void {
  const write = stream.write
  let gathering = false
  stream.write = function gathered(this: Duplex, ...args: Parameters<Duplex['write']>): boolean {
    if (!gathering) {
      gathering = true
      stream.cork()
      process.nextTick(() => {
        gathering = false
        stream.uncork()
      })
    }
    return write.apply(stream, args)
  } as Duplex['write']
}
