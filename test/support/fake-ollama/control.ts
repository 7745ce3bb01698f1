import {createServer, type Server} from 'node:http'
import type {AddressInfo} from 'node:net'
import {readBody, sendJson} from './http.ts'
import type {Settings} from './options.ts'

/** What the control port lets a test in another process do. */
export interface Controllable {
  readonly requests: readonly unknown[]
  readonly cancelled: number
  set(patch: Partial<Settings>): Promise<void>
}

/** `POST /control` with a patch of the settings; `GET /control` tells what was asked of the node so far. */
export async function startControl(
  node: Controllable,
  port: number,
): Promise<{readonly port: number; close(): Promise<void>}> {
  const server = createServer((req, res) => {
    answer().catch((error: unknown) => sendJson(res, 500, {error: String(error)}))
    async function answer(): Promise<void> {
      if (req.url !== '/control') return sendJson(res, 404, {error: 'only /control'})
      if (req.method === 'POST') await node.set((await readBody(req)) as Partial<Settings>)
      sendJson(res, 200, {requests: node.requests, cancelled: node.cancelled})
    }
  })
  await listen(server, port, '127.0.0.1')
  return {
    port: (server.address() as AddressInfo).port,
    close: () => closeServer(server),
  }
}

export function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

/** Ends every connection too. */
export function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
