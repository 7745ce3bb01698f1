import type {Duplex} from 'node:stream'
import {setTimeout as pause} from 'node:timers/promises'
import {OllamaxError} from '../errors.ts'
import {abortable} from './deadline.ts'
import type {Connection} from './dial.ts'
import {makeStreams} from './streams.ts'

/** A connection that is made anew when it was lost, for long-lived use. */
export interface Link {
  /** True while a connection stands. */
  readonly connected: boolean
  /**
   * The connection that stands, or a new one. After a failure the next dial waits (longer each time, up
   * to half a minute); every call makes one dial at most and throws its error.
   */
  remote(signal?: AbortSignal): Promise<Connection>
  /** A stream to a port of the machine's loopback; over a new connection where the old one went silent. */
  stream(port: number, signal: AbortSignal): Promise<Duplex>
  close(): Promise<void>
}

export interface LinkOptions {
  /** Longest pause before the first new dial, doubled each time. Default 250. */
  readonly firstPauseMs?: number
  /** Default 30,000. */
  readonly longestPauseMs?: number
  /** 0 to 1; for tests. */
  readonly random?: () => number
  /** How long a connection may take to open a stream before another one is tried; for tests. */
  readonly silentMs?: number
}

/** Makes a link; nothing is dialled before the first `remote()`. `dial` must heed its signal. */
export function openLink(
  dial: (signal: AbortSignal) => Promise<Connection>,
  options: LinkOptions = {},
): Link {
  const {firstPauseMs = 250, longestPauseMs = 30_000, random = Math.random} = options
  const streams = makeStreams(options)
  const closed = new AbortController()
  let standing: Connection | undefined
  let dialling: Promise<Connection> | undefined
  let failures = 0
  let notBeforeMs = 0
  const connect = async () => {
    const waitMs = notBeforeMs - performance.now()
    if (waitMs > 0) await pause(waitMs, undefined, {signal: closed.signal})
    try {
      const connection = await dial(closed.signal)
      if (closed.signal.aborted) {
        await connection.close()
        throw closed.signal.reason
      }
      failures = 0
      standing = connection
      return connection
    } catch (error) {
      const longest = Math.min(longestPauseMs, firstPauseMs * 2 ** failures++)
      // Spread, so that many links to one machine that comes back do not knock all at once.
      notBeforeMs = performance.now() + longest * (0.5 + random() / 2)
      throw error
    } finally {
      dialling = undefined
    }
  }
  const current = async () => {
    closed.signal.throwIfAborted()
    if (standing && !standing.lost.aborted) return standing
    standing = undefined
    dialling ??= connect()
    return dialling
  }
  const way = {
    current,
    forget(connection: Connection) {
      if (standing === connection) standing = undefined
    },
  }
  return {
    get connected() {
      return standing !== undefined && !standing.lost.aborted
    },
    remote: (signal) => (signal ? abortable(signal, current()) : current()),
    stream: (port, signal) => streams.open(way, port, signal),
    async close() {
      closed.abort(new OllamaxError('SSH_LOST', 'the SSH link was closed'))
      await dialling?.catch(() => {})
      await Promise.all([standing?.close(), streams.close()])
    },
  }
}
