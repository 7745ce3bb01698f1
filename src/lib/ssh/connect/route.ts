import {spawn} from 'node:child_process'
import {connect as connectTcp, type Socket} from 'node:net'
import {Duplex} from 'node:stream'
import {messageOf, OllamaxError} from '../../errors.ts'
import {abortable} from '../deadline.ts'
import type {SshTarget} from '../target.ts'

/** How to get a stream to an SSH server. */
export interface Route {
  readonly env: Readonly<NodeJS.ProcessEnv>
  /** Opens the stream to this machine through the one before it; absent = a connection of our own. */
  readonly through?: (signal: AbortSignal) => Promise<Duplex>
}

/** A stream to the SSH server of a target: by the machine before it, its ProxyCommand, or TCP. */
export async function openStream(
  target: SshTarget,
  options: Route,
  signal: AbortSignal,
): Promise<Duplex> {
  if (options.through) return options.through(signal)
  if (target.proxyCommand !== undefined) return runProxy(target.proxyCommand, options.env)
  const connect = () =>
    connectTcp({
      host: target.host,
      port: target.port,
      noDelay: true,
      keepAlive: true,
      ...(target.addressFamily === 0 ? {} : {family: target.addressFamily}),
      ...(target.bindAddress === undefined ? {} : {localAddress: target.bindAddress}),
    })
  try {
    return await firstToConnect(connect, signal)
  } catch (error) {
    throw signal.aborted ? error : connectError(target, error)
  }
}

/**
 * The kernel asks a machine that is silent ever more rarely, the fifth time after 15 s: one that comes back meanwhile
 * would not be heard. So it is asked anew all this time; the earlier attempts stay, in case it is only slow.
 */
const KNOCK_MS = 3000
/**
 * The kernel says that there is no machine of that address (EHOSTUNREACH) after it has looked for it for three seconds.
 * Sooner than this it was about to end a look from before: the machine may be back since, so it is asked once more.
 */
const OWN_LOOK_MS = 2500

/** The first of several attempts that stands; throws what an attempt fails with, or the signal's reason. */
async function firstToConnect(connect: () => Socket, signal: AbortSignal): Promise<Socket> {
  const tried: Socket[] = []
  const beganMs = performance.now()
  let again = true
  const first = Promise.withResolvers<Socket>()
  const knock = () => {
    const socket = connect()
    tried.push(socket)
    socket.once('connect', () => first.resolve(socket))
    socket.once('error', (error) => {
      const early = performance.now() - beganMs < OWN_LOOK_MS
      if (!again || !early || codeOf(error) !== 'EHOSTUNREACH') return first.reject(error)
      again = false
      knock()
    })
  }
  const timer = setInterval(knock, KNOCK_MS)
  let standing: Socket | undefined
  try {
    knock()
    standing = await abortable(signal, first.promise)
    standing.removeAllListeners('error')
    return standing
  } finally {
    clearInterval(timer)
    for (const socket of tried) {
      if (socket === standing) continue
      socket.on('error', () => {})
      socket.destroy()
    }
  }
}

/** A ProxyCommand as a stream; its stderr is the user's, as with ssh. */
function runProxy(command: string, env: Readonly<NodeJS.ProcessEnv>): Duplex {
  const child = spawn('/bin/sh', ['-c', `exec ${command}`], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env,
  })
  const stream = Duplex.from({readable: child.stdout, writable: child.stdin})
  child.on('error', (error) => stream.destroy(error))
  stream.on('close', () => child.kill())
  return stream
}

/** A target as messages name it. */
export const at = (target: SshTarget) =>
  target.alias === target.host
    ? `${target.host}:${target.port}`
    : `${target.alias} (${target.host}:${target.port})`

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'refused the connection: nothing listens on that port',
  ETIMEDOUT: 'did not answer in time',
  EHOSTUNREACH: 'cannot be reached: no route to it',
  ENETUNREACH: 'cannot be reached: no network that leads there',
  ECONNRESET: 'broke the connection off',
}

/** With several addresses Node throws them all at once; the first one stands for them. */
const firstOf = (error: unknown) => (error instanceof AggregateError ? error.errors[0] : error)
const codeOf = (error: unknown) => String((firstOf(error) as NodeJS.ErrnoException).code)

function connectError(target: SshTarget, error: unknown): OllamaxError {
  const code = codeOf(error)
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN' || code === 'EAI_NODATA') {
    const later = code === 'EAI_AGAIN' ? ' (the name server does not answer)' : ''
    return new OllamaxError('SSH_NO_HOST', `there is no host "${target.host}"${later}`, {
      suggestions: ['look for a typing error in the name, or use the IP address'],
      cause: error,
    })
  }
  return new OllamaxError(
    'SSH_UNREACHABLE',
    `${at(target)} ${WORDS[code] ?? `cannot be reached: ${messageOf(firstOf(error))}`}`,
    {
      suggestions: [
        'is the machine on, the port right (user@host:port), and an SSH server running there?',
      ],
      cause: error,
      details: {reason: code},
    },
  )
}

/** For a server that hung up before it said anything. */
export function notSsh(target: SshTarget, cause: unknown): OllamaxError {
  return new OllamaxError(
    'SSH_UNREACHABLE',
    `${at(target)} took the connection and closed it without a word of SSH`,
    {
      suggestions: [
        'is that the port of its SSH server?',
        'if it is, the server is overloaded or bans this address for a while (MaxStartups, fail2ban)',
      ],
      cause,
      details: {reason: 'no-banner'},
    },
  )
}
