import {readdirSync, readFileSync, readlinkSync} from 'node:fs'
import {Agent, type IncomingHttpHeaders, type IncomingMessage, request} from 'node:http'
import {text} from 'node:stream/consumers'
import {waitFor} from './wait-for.ts'

/** A client with one connection, so that all its requests go to one worker. */
export interface Pinned {
  /** Tells the worker from the others. */
  readonly worker: string
  /** The whole answer; `body`: sent as JSON by POST, absent: GET. */
  ask(path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<Answer>
  /** Resolves with the head; the caller reads or destroys what follows. */
  begin(
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<IncomingMessage>
  close(): void
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

/** The part of a request's id that all requests of one worker share. */
export const workerOf = (id: string | string[] | undefined) => String(id).split('-')[0] ?? ''

async function pinned(url: string): Promise<Pinned> {
  const agent = new Agent({keepAlive: true, maxSockets: 1})
  const begin: Pinned['begin'] = (path, body, headers = {}) =>
    new Promise((resolve, reject) => {
      const method = body === undefined ? 'GET' : 'POST'
      const sent = request(`${url}${path}`, {agent, method, headers}, resolve)
      sent.once('error', reject)
      sent.end(body === undefined ? undefined : JSON.stringify(body))
    })
  const ask: Pinned['ask'] = async (...words) => {
    const got = await begin(...words)
    return {status: got.statusCode ?? 0, headers: got.headers, text: await text(got)}
  }
  const {headers} = await ask('/healthz')
  const worker = workerOf(headers['x-ollamax-request-id'])
  return {worker, ask, begin, close: () => agent.destroy()}
}

/** A client of each of two workers. They are given connections one after the other. */
export async function pinnedToBoth(url: string): Promise<readonly [Pinned, Pinned]> {
  const first = await pinned(url)
  for (let tries = 0; tries < 10; tries++) {
    const other = await pinned(url)
    if (other.worker !== first.worker) return [first, other]
    other.close()
  }
  throw new Error('ten connections went to the same worker')
}

/**
 * The one of these processes that holds the server's end of a connection on loopback, given the client's port. The kernel's
 * list of connections may leave one out when it changes while it is read, so that one look is not enough.
 */
export const whoServes = (
  pids: readonly number[],
  clientPort: number | undefined,
): Promise<number> =>
  waitFor('who serves the connection', () => pids.find((pid) => serves(pid, clientPort ?? 0)))

function serves(pid: number, clientPort: number): boolean {
  const port = clientPort.toString(16).toUpperCase().padStart(4, '0')
  const lines = readFileSync('/proc/net/tcp', 'utf8').split('\n')
  const line = lines.find((one) => one.trim().split(/\s+/)[2] === `0100007F:${port}`)
  const socket = `socket:[${line?.trim().split(/\s+/)[9]}]`
  const fds = `/proc/${pid}/fd`
  return readdirSync(fds).some((fd) => {
    try {
      return readlinkSync(`${fds}/${fd}`) === socket
    } catch {
      return false
    }
  })
}
