import type {Writable} from 'node:stream'
import type {Output} from './output-file.ts'

/** Lines to a pipe or a terminal: what is there cannot be read again, so nothing can be gone on with. */
export function outputTo(stream: Writable): Output & {
  /** Aborted when whoever reads it has gone, as `| head -1` does. */
  readonly gone: AbortSignal
} {
  const gone = new AbortController()
  const onError = () => gone.abort(new Error('stdout was closed'))
  stream.on('error', onError)
  return {
    gone: gone.signal,
    write(text) {
      if (gone.signal.aborted || stream.write(text)) return Promise.resolve()
      return new Promise((resolve) => {
        stream.once('drain', resolve)
        gone.signal.addEventListener('abort', () => resolve(), {once: true})
      })
    },
    async close() {
      stream.off('error', onError)
    },
  }
}
