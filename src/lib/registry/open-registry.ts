import {hash, randomBytes, timingSafeEqual} from 'node:crypto'
import {once} from 'node:events'
import {createServer} from 'node:http'
import type {AddressInfo} from 'node:net'
import {type AnswerOptions, answer} from './answer.ts'

/** A registry that answers on loopback whoever knows its key, and nobody else. */
export interface OpenRegistry {
  readonly url: string
  /** Must be in every request. */
  readonly headers: Readonly<Record<string, string>>
  close(): Promise<void>
}

const KEY = 'x-api-key'

/** Starts to answer. */
export async function openRegistry(options: AnswerOptions): Promise<OpenRegistry> {
  const key = randomBytes(24).toString('hex')
  const digest = hash('sha256', key, 'buffer')
  const server = createServer((request, response) => {
    const given = request.headers[KEY]
    const known =
      typeof given === 'string' && timingSafeEqual(hash('sha256', given, 'buffer'), digest)
    if (known) void answer(request, response, options)
    else response.writeHead(401).end()
  })
  // A part may have to wait until the whole file has come from elsewhere.
  server.requestTimeout = 0
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const {port} = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    headers: {[KEY]: key},
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
