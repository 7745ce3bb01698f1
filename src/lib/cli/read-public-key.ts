import {createReadStream} from 'node:fs'
import {messageOf, OllamaxError} from '../errors.ts'
import {readStdin} from './read-prompt.ts'

/** Bytes of the largest file that is read as a public key; one has about 100. */
const MAX_BYTES = 16_384

/** The text of a public key's file, `-`: from stdin. BAD_INPUT if it cannot be read or is far too large. */
export async function readPublicKey(from: string, signal: AbortSignal): Promise<string> {
  const text = from === '-' ? await readStdin(signal) : await readFile(from, signal)
  if (text.length <= MAX_BYTES) return text
  throw new OllamaxError('BAD_INPUT', `--ssh-key ${from} has more than ${MAX_BYTES} bytes`)
}

/** As a stream, so that `<(ssh-keygen -y ...)` works and a device without end does not fill the memory. */
async function readFile(path: string, signal: AbortSignal): Promise<string> {
  const chunks: Buffer[] = []
  try {
    for await (const chunk of createReadStream(path, {end: MAX_BYTES, signal}))
      chunks.push(chunk as Buffer)
  } catch (error) {
    if (signal.aborted) throw signal.reason
    throw new OllamaxError('BAD_INPUT', `--ssh-key ${path} cannot be read: ${messageOf(error)}`, {
      cause: error,
    })
  }
  return Buffer.concat(chunks).toString()
}
