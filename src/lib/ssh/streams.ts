import type {Duplex} from 'node:stream'
import {OllamaxError} from '../errors.ts'
import {abortable} from './deadline.ts'
import type {Connection} from './dial.ts'

/** Where the connection to one machine is kept. */
export interface Way {
  /** The one that stands, or a new one. */
  current(): Promise<Connection>
  /** It went silent: whoever asks next gets a new one. */
  forget(connection: Connection): void
}

/** Opens streams over connections that may have died without anybody noticing. */
export interface Streams {
  /**
   * A stream to a port of the machine's loopback. Where the connection that stands does not open it soon, a new one is
   * dialled beside it, and the first that opens is taken: nothing was sent yet, so nothing can be doubled.
   */
  open(way: Way, port: number, signal: AbortSignal): Promise<Duplex>
  /** Somebody has this connection in hand: it is not closed for being silent. */
  hold(connection: Connection): void
  /** Closes the connections that were forgotten and still carry something. */
  close(): Promise<void>
}

/**
 * An SSH server opens a stream at once; one that does not may be cut off. Its connection would be found dead only after
 * ServerAliveInterval x ServerAliveCountMax (45 s), or come back late, as TCP repeats itself ever more rarely.
 */
const SILENT_MS = 4000
/** One that was not heard for a while may well have died meanwhile; a wrong guess costs a login. */
const UNHEARD_MS = 5000
const UNHEARD_SILENT_MS = 1500

/** `silentMs`: how long a connection may take to open a stream; for tests. */
export function makeStreams({silentMs}: {readonly silentMs?: number | undefined} = {}): Streams {
  /** Those that were forgotten, as long as they carry something. */
  const leaving = new Set<Connection>()
  const uses = new WeakMap<Connection, number>()
  const heardMs = new WeakMap<Connection, number>()
  const closeUnused = (connection: Connection) => {
    if (!leaving.has(connection) || (uses.get(connection) ?? 0) > 0) return
    leaving.delete(connection)
    void connection.close().catch(() => {})
  }
  const count = (connection: Connection, more: number) => {
    uses.set(connection, (uses.get(connection) ?? 0) + more)
    closeUnused(connection)
  }
  const forward = async (connection: Connection, port: number, signal: AbortSignal) => {
    count(connection, 1)
    try {
      const stream = await connection.forward(port, {signal})
      heardMs.set(connection, performance.now())
      stream.once('close', () => count(connection, -1))
      return stream
    } catch (error) {
      count(connection, -1)
      throw error
    }
  }
  const patienceMs = (connection: Connection) => {
    if (silentMs !== undefined) return silentMs
    const lastMs = heardMs.get(connection) ?? performance.now()
    return performance.now() - lastMs > UNHEARD_MS ? UNHEARD_SILENT_MS : SILENT_MS
  }
  return {
    async open(way, port, signal) {
      const first = await abortable(signal, way.current())
      const enough = new AbortController()
      const either = AbortSignal.any([signal, enough.signal])
      const old = forward(first, port, either)
      if (await answers(old, patienceMs(first))) return old
      way.forget(first)
      leaving.add(first)
      closeUnused(first)
      const anew = abortable(either, way.current()).then((next) => forward(next, port, either))
      let taken: Duplex | undefined
      try {
        taken = await Promise.any([old, anew])
        return taken
      } catch (error) {
        signal.throwIfAborted()
        // How the machine is now.
        throw (error as AggregateError).errors.at(-1)
      } finally {
        enough.abort()
        for (const stream of [old, anew])
          stream.then(
            (late) => late === taken || late.destroy(),
            () => {},
          )
      }
    },
    hold: (connection) => count(connection, 1),
    async close() {
      const all = [...leaving]
      leaving.clear()
      await Promise.allSettled(all.map((connection) => connection.close()))
    },
  }
}

/** False: nothing was heard in that time, or the connection turned out to be gone. */
async function answers(stream: Promise<Duplex>, withinMs: number): Promise<boolean> {
  const {promise: late, resolve} = Promise.withResolvers<false>()
  const timer = setTimeout(() => resolve(false), withinMs)
  const heard = stream.then(
    () => true,
    (error) => !OllamaxError.is(error, 'SSH_LOST'),
  )
  try {
    return await Promise.race([heard, late])
  } finally {
    clearTimeout(timer)
  }
}
