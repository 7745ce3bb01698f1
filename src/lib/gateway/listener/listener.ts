import type {AddressInfo} from 'node:net'
import {createServer, type Server, type Socket} from 'node:net'
import {createServer as createTlsServer} from 'node:tls'
import {messageOf, OllamaxError} from '../../errors.ts'
import {ClientConnection, type ConnectionOptions} from './client-connection.ts'

export interface ListenerOptions extends Omit<ConnectionOptions, 'onClose'> {
  readonly host: string
  /** 0: any free one. */
  readonly port: number
  readonly tls?: {readonly cert: Buffer; readonly key: Buffer} | undefined
  readonly maxConnections: number
}

/** Takes clients' connections and reads their requests. */
export interface Listener {
  readonly port: number
  /** Takes no new connection and ends those without a request; resolves when all have ended. */
  drain(): Promise<void>
  /** Breaks all connections off. */
  destroy(): void
}

/** How often late heads and idle connections are looked for. */
const CHECK_MS = 2000

/** Starts to listen. BAD_INPUT if the address, the certificate or its key cannot be used. */
export async function openListener(options: ListenerOptions): Promise<Listener> {
  const {tls, maxConnections, headersTimeoutMs} = options
  const connections = new Set<ClientConnection>()
  let draining = false
  const accept = (socket: Socket) => {
    const connection = new ClientConnection(socket, {
      ...options,
      onClose: (it) => connections.delete(it),
    })
    connections.add(connection)
  }
  const server = tls
    ? tlsServer(
        {...tls, handshakeTimeout: headersTimeoutMs, noDelay: true, ALPNProtocols: ['http/1.1']},
        accept,
      )
    : createServer({noDelay: true}, accept)
  // Of a handshake that fails nobody has to be told.
  server.on('tlsClientError', () => {})
  server.maxConnections = maxConnections
  await listen(server, options)
  const endIdle = () => {
    for (const connection of connections) if (connection.idle) connection.destroy()
  }
  const timer = setInterval(
    () => {
      const nowMs = performance.now()
      for (const connection of connections) connection.check(nowMs)
      if (draining) endIdle()
    },
    Math.min(CHECK_MS, headersTimeoutMs),
  )
  return {
    port: (server.address() as AddressInfo).port,
    drain() {
      draining = true
      const closed = new Promise<void>((resolve) => void server.close(() => resolve()))
      endIdle()
      return closed.then(() => clearInterval(timer))
    },
    destroy() {
      clearInterval(timer)
      server.close()
      for (const connection of connections) connection.destroy()
    },
  }
}

function tlsServer(...words: Parameters<typeof createTlsServer>): Server {
  try {
    return createTlsServer(...words)
  } catch (error) {
    throw new OllamaxError(
      'BAD_INPUT',
      `the certificate or its key cannot be used: ${messageOf(error)}`,
      {cause: error, suggestions: ['both are PEM files; the certificate must be of that key']},
    )
  }
}

function listen(server: Server, {host, port}: ListenerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) =>
      reject(
        new OllamaxError('BAD_INPUT', `cannot listen on ${host}:${port}: ${error.message}`, {
          suggestions: ['choose another one: --listen HOST:PORT'],
          cause: error,
        }),
      ),
    )
    server.listen({host, port, backlog: 4096}, resolve)
  })
}
