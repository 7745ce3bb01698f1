import {rmSync, statSync} from 'node:fs'
import {createServer, type Server, type Socket} from 'node:net'
import {messageOf, OllamaxError} from '../errors.ts'
import {withLock} from '../state/lock.ts'
import {askHolder} from './ask-holder.ts'
import {holdNode, linkKey, type NodeLink} from './held-link.ts'
import type {HolderPlace} from './place.ts'
import {type HeldNode, type HolderReply, type HolderRequest, MAX_LINE} from './protocol.ts'

export interface RunOptions {
  readonly place: HolderPlace
  /** Ends itself after this long without a stream or a request. */
  readonly idleMs: number
  readonly signal: AbortSignal
}

/** How often it looks whether its socket is still its own. */
const WATCH_MS = 5000

/**
 * Is the connection holder until it is idle for long, told to stop, aborted, or replaced. Returns at
 * once, with false, if another one runs already.
 */
export async function runHolder(options: RunOptions): Promise<boolean> {
  const {place, signal} = options
  const links: Links = new Map()
  const end = Promise.withResolvers<void>()
  const idle = setTimeout(() => void looksIdle(), options.idleMs)
  let requests = 0
  const looksIdle = async () => {
    const all = await Promise.all(opened(links))
    if (requests > 0 || all.some((link) => link.status().streams > 0)) idle.refresh()
    else end.resolve()
  }
  const server = createServer((socket) => {
    idle.refresh()
    requests++
    socket.once('close', () => {
      requests--
      idle.refresh()
    })
    serve(socket, (request) => answer(request, {place, links, idle, stop: end.resolve}))
  })
  const listening = await withLock(place.dir, () => listen(server, place.control, signal), {
    signal,
    why: 'starting the connection holder',
  })
  if (!listening) {
    clearTimeout(idle)
    return false
  }
  const {ino} = statSync(place.control)
  // Without its socket (a removed home, a newer holder) nobody can reach it any more.
  const watch = setInterval(() => {
    if (inodeOf(place.control) !== ino) end.resolve()
  }, WATCH_MS)
  signal.addEventListener('abort', () => end.resolve(), {once: true})
  await end.promise
  clearInterval(watch)
  clearTimeout(idle)
  server.close()
  const all = await Promise.allSettled(opened(links))
  await Promise.allSettled(
    all.map((link) => (link.status === 'fulfilled' ? link.value.close() : undefined)),
  )
  return true
}

function inodeOf(path: string): number | undefined {
  try {
    return statSync(path).ino
  } catch {
    return undefined
  }
}

/** Called under the lock, so no other holder can come between the look and the binding. */
async function listen(server: Server, control: string, signal: AbortSignal): Promise<boolean> {
  if (await askHolder(control, {op: 'status'}, signal).catch(() => undefined)) return false
  rmSync(control, {force: true})
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(control, resolve)
  })
  return true
}

/** Reads one line, answers with one line. */
function serve(socket: Socket, work: (request: HolderRequest) => Promise<HolderReply>): void {
  let text = ''
  let done = false
  socket.setEncoding('utf8')
  socket.on('error', () => {})
  socket.on('data', (chunk: string) => {
    text += chunk
    if (done) return
    if (text.length > MAX_LINE) socket.destroy()
    const at = text.indexOf('\n')
    if (at < 0) return
    done = true
    const line = text.slice(0, at)
    const request = Promise.resolve().then(() => JSON.parse(line) as HolderRequest)
    void request
      .then(work)
      .catch(errorReply)
      .then((reply) => socket.end(`${JSON.stringify(reply)}\n`))
  })
}

/** By the node's name. The key is there before the link is, so that two callers make one. */
type Links = Map<string, {readonly key: string; readonly link: Promise<NodeLink>}>

const opened = (links: Links) => [...links.values()].map(({link}) => link)

interface Held {
  readonly place: HolderPlace
  readonly links: Links
  readonly idle: NodeJS.Timeout
  readonly stop: () => void
}

async function answer(request: HolderRequest, held: Held): Promise<HolderReply> {
  if (request.op === 'stop') {
    setImmediate(held.stop)
    return {kind: 'stopping'}
  }
  if (request.op === 'status') {
    const links = await Promise.all(opened(held.links))
    return {
      kind: 'status',
      status: {pid: process.pid, links: links.map((link) => link.status())},
    }
  }
  if (request.op === 'drop') return {kind: 'dropped', held: await drop(request.name, held.links)}
  const link = await linkFor(request.node, held)
  await link.connect(request.env)
  return {kind: 'opened', socket: link.socket}
}

/** The link of a node; one for another entry of the same name is dropped. */
async function linkFor(node: HeldNode, held: Held): Promise<NodeLink> {
  const {links, place, idle} = held
  const found = links.get(node.name)
  const key = linkKey(node)
  if (found?.key === key) return found.link
  const made = {key, link: holdNode(place, node, () => idle.refresh())}
  links.set(node.name, made)
  made.link.catch(() => links.get(node.name) === made && links.delete(node.name))
  await (await found?.link.catch(() => undefined))?.close()
  return made.link
}

async function drop(name: string, links: Links): Promise<boolean> {
  const found = links.get(name)
  links.delete(name)
  await (await found?.link.catch(() => undefined))?.close()
  return found !== undefined
}

function errorReply(error: unknown): HolderReply {
  const ours = OllamaxError.is(error) ? error : undefined
  return {
    kind: 'error',
    code: ours?.code ?? 'SSH_UNREACHABLE',
    message: messageOf(error),
    suggestions: ours?.suggestions ?? [],
    ...(ours?.details ? {details: ours.details} : {}),
  }
}
