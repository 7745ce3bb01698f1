import {createHash} from 'node:crypto'
import {createReadStream} from 'node:fs'

/** SHA-256 of a file, lower-case hex. `onBytes` gets how much of it was read. */
export async function sha256Of(
  path: string,
  options: {readonly signal: AbortSignal; readonly onBytes?: (done: number) => void},
): Promise<string> {
  const hash = createHash('sha256')
  let done = 0
  const stream = createReadStream(path, {highWaterMark: 1024 * 1024, signal: options.signal})
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    hash.update(chunk)
    done += chunk.length
    options.onBytes?.(done)
  }
  return hash.digest('hex')
}
