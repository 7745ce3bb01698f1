import type {Duplex} from 'node:stream'
import type {Ask} from '../cluster/ask.ts'
import type {SshNode} from '../cluster/node.ts'
import {abortable} from '../ssh/deadline.ts'
import {type Connection, dial} from '../ssh/dial.ts'
import {resolveTarget} from '../ssh/target.ts'
import {ollamaPort} from './ssh-endpoint.ts'
import type {DialChoices} from './tools.ts'

export interface DialerOptions {
  readonly env: Readonly<NodeJS.ProcessEnv>
  readonly signal: AbortSignal
  readonly ask?: Ask | undefined
  readonly note?: ((text: string) => void) | undefined
  /** After so long without an answer a connection is left; for tests. */
  readonly silentMs?: number
}

/** The SSH connections of this process, one per target; a lost one is dialled anew when next asked for. */
export interface Dialer {
  dial(node: SshNode, choices?: DialChoices): Promise<Connection>
  /** A stream to the node's Ollama. An abort ends the wait, not a dial that others wait for too. */
  stream(node: SshNode, signal: AbortSignal): Promise<Duplex>
  /** True if a connection to that node stands already. */
  stands(node: SshNode): boolean
  close(): Promise<void>
}

/**
 * An SSH server opens a stream at once; one that does not may be cut off. Its connection would be found dead only after
 * ServerAliveInterval x ServerAliveCountMax (45 s), or come back late, as TCP repeats itself ever more rarely.
 */
const SILENT_MS = 4000

export function makeDialer(options: DialerOptions): Dialer {
  const {env, ask, note, silentMs = SILENT_MS} = options
  const closing = new AbortController()
  const signal = AbortSignal.any([options.signal, closing.signal])
  const open = new Map<string, Promise<Connection>>()
  const standing = new Map<string, Connection>()
  /** Those that went silent, as long as they carry something. */
  const leaving = new Set<Connection>()
  const streams = new WeakMap<Connection, number>()
  const connect = async (node: SshNode, choices: DialChoices) => {
    const target = await resolveTarget(node.ssh, {env, signal})
    const {acceptHostKey: accept, secrets} = choices
    const pinned = node.hostKey
    const connection = await dial(target, {env, signal, ask, note, accept, secrets, pinned})
    standing.set(node.ssh, connection)
    return connection
  }
  const connected = async (node: SshNode, choices: DialChoices): Promise<Connection> => {
    const pending = open.get(node.ssh)
    const shared = await pending
    if (open.get(node.ssh) !== pending) return connected(node, choices)
    const fits = node.hostKey === undefined || node.hostKey === shared?.hostKey
    if (shared && !shared.lost.aborted && fits) return shared
    const connecting = connect(node, choices)
    open.set(node.ssh, connecting)
    // Whoever waits now shares the failure; whoever comes later tries again.
    connecting.catch(() => open.get(node.ssh) === connecting && open.delete(node.ssh))
    return connecting
  }
  /** Leaves a connection to the streams that it carries; the next one who asks dials anew. */
  const retire = (node: SshNode, connection: Connection) => {
    if (standing.get(node.ssh) !== connection) return
    standing.delete(node.ssh)
    open.delete(node.ssh)
    leaving.add(connection)
    closeUnused(connection)
  }
  const closeUnused = (connection: Connection) => {
    if (!leaving.has(connection) || (streams.get(connection) ?? 0) > 0) return
    leaving.delete(connection)
    void connection.close().catch(() => {})
  }
  const count = (connection: Connection, more: number) => {
    streams.set(connection, (streams.get(connection) ?? 0) + more)
    closeUnused(connection)
  }
  return {
    async dial(node, choices = {}) {
      const connection = await connected(node, choices)
      // Whoever has it may use it as long as this process wants.
      count(connection, 1)
      return connection
    },
    async stream(node, signal) {
      const connection = await abortable(signal, connected(node, {}))
      count(connection, 1)
      const silent = setTimeout(() => retire(node, connection), silentMs)
      try {
        const stream = await connection.forward(ollamaPort(node), {signal})
        stream.once('close', () => count(connection, -1))
        return stream
      } catch (error) {
        count(connection, -1)
        throw error
      } finally {
        clearTimeout(silent)
      }
    },
    stands: (node) => standing.get(node.ssh)?.lost.aborted === false,
    async close() {
      // A dial that still waits for a silent host would keep the process until its deadline.
      closing.abort()
      const all: (Connection | Promise<Connection>)[] = [...open.values(), ...leaving]
      open.clear()
      leaving.clear()
      await Promise.allSettled(all.map(async (connection) => (await connection).close()))
    },
  }
}
