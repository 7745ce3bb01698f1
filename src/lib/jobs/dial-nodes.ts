import type {Duplex} from 'node:stream'
import type {Ask} from '../cluster/ask.ts'
import type {SshNode} from '../cluster/node.ts'
import {type Connection, dial} from '../ssh/dial.ts'
import {makeStreams} from '../ssh/streams.ts'
import {resolveTarget} from '../ssh/target.ts'
import {ollamaPort} from './ssh-endpoint.ts'
import type {DialChoices} from './tools.ts'

export interface DialerOptions {
  readonly env: Readonly<NodeJS.ProcessEnv>
  readonly signal: AbortSignal
  readonly ask?: Ask | undefined
  readonly note?: ((text: string) => void) | undefined
  /** How long a connection may take to open a stream before another one is tried; for tests. */
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

export function makeDialer(options: DialerOptions): Dialer {
  const {env, ask, note} = options
  const closing = new AbortController()
  const signal = AbortSignal.any([options.signal, closing.signal])
  const open = new Map<string, Promise<Connection>>()
  const standing = new Map<string, Connection>()
  const streams = makeStreams(options)
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
  const wayTo = (node: SshNode) => ({
    current: () => connected(node, {}),
    forget(connection: Connection) {
      if (standing.get(node.ssh) !== connection) return
      standing.delete(node.ssh)
      open.delete(node.ssh)
    },
  })
  return {
    async dial(node, choices = {}) {
      const connection = await connected(node, choices)
      // Whoever has it may use it as long as this process wants.
      streams.hold(connection)
      return connection
    },
    stream: (node, signal) => streams.open(wayTo(node), ollamaPort(node), signal),
    stands: (node) => standing.get(node.ssh)?.lost.aborted === false,
    async close() {
      // A dial that still waits for a silent host would keep the process until its deadline.
      closing.abort()
      const all = [...open.values()]
      open.clear()
      await Promise.allSettled([
        ...all.map(async (connection) => (await connection).close()),
        streams.close(),
      ])
    },
  }
}
