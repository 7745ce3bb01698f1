import {rmSync} from 'node:fs'
import {createServer, type Socket} from 'node:net'
import {dial} from '../ssh/dial.ts'
import {type Link, openLink} from '../ssh/link.ts'
import {resolveTarget} from '../ssh/target.ts'
import {type HolderPlace, nodeSocket} from './place.ts'
import type {HeldLink, HeldNode} from './protocol.ts'

/** One node's SSH link and the socket that leads through it. */
export interface NodeLink {
  readonly node: HeldNode
  /** Tells links apart: another target, host key or port is another link. */
  readonly key: string
  readonly socket: string
  /** Dials unless the link stands; throws why it cannot. */
  connect(env: Readonly<Record<string, string>>): Promise<void>
  status(): HeldLink
  close(): Promise<void>
}

/** Short ones: somebody waits for each dial, and a machine that is back should be seen to be. */
const PAUSES = {firstPauseMs: 100, longestPauseMs: 2000}

/** What makes two entries of a node the same to the holder. */
export function linkKey(node: HeldNode): string {
  return JSON.stringify([node.name, node.ssh, node.hostKey ?? '', node.port])
}

/** Listens for streams to a node. `onStream` is told of each that begins or ends. */
export async function holdNode(
  place: HolderPlace,
  node: HeldNode,
  onStream: () => void,
): Promise<NodeLink> {
  const key = linkKey(node)
  const path = nodeSocket(place, key)
  const open = new Set<Socket>()
  let env: Readonly<Record<string, string>> = {}
  const link = openLink(async (signal) => {
    const target = await resolveTarget(node.ssh, {env, signal})
    return dial(target, {env, signal, pinned: node.hostKey})
  }, PAUSES)
  const server = createServer({allowHalfOpen: true, pauseOnConnect: true}, (socket) => {
    open.add(socket)
    onStream()
    socket.on('error', () => {})
    socket.on('close', () => {
      open.delete(socket)
      onStream()
    })
    void join(socket, link, node.port)
  })
  rmSync(path, {force: true})
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, resolve)
  })
  return {
    node,
    key,
    socket: path,
    async connect(given) {
      env = given
      await link.remote()
    },
    status: () => ({
      node: node.name,
      ssh: node.ssh,
      connected: link.connected,
      streams: open.size,
    }),
    async close() {
      server.close()
      for (const socket of open) socket.destroy()
      await link.close()
    },
  }
}

/** Wires a local connection to a stream there; whatever ends one of them ends the other. */
async function join(socket: Socket, link: Link, port: number): Promise<void> {
  const gone = new AbortController()
  socket.once('close', () => gone.abort(new Error('the caller hung up')))
  try {
    const stream = await link.stream(port, gone.signal)
    if (socket.destroyed) {
      stream.destroy()
      return
    }
    socket.once('close', () => stream.destroy())
    stream.once('error', () => socket.destroy())
    stream.once('close', () => {
      // After a clean end what is still on its way to the caller must arrive.
      if (!stream.readableEnded) socket.destroy()
    })
    stream.pipe(socket)
    socket.pipe(stream)
  } catch {
    // The caller sees the connection end before any answer, as with a machine that is down.
    socket.destroy()
  }
}
