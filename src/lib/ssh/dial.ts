import type {Duplex} from 'node:stream'
import {exec} from './channels/exec.ts'
import {openForward} from './channels/forward.ts'
import {put} from './channels/put.ts'
import {openShell} from './channels/shell.ts'
import type {Secrets} from './connect/auth-step.ts'
import {connectHop, type Hop} from './connect/hop.ts'
import type {HostKeyPolicy} from './connect/host-key.ts'
import {type Wire, wireOver} from './connect/wire.ts'
import type {Remote} from './remote.ts'
import type {SshTarget} from './target.ts'

export interface DialOptions extends HostKeyPolicy {
  readonly env: Readonly<NodeJS.ProcessEnv>
  readonly secrets?: Secrets | undefined
  readonly signal?: AbortSignal | undefined
}

/** A Remote that tells when its connection is gone. */
export interface Connection extends Remote {
  /** Aborted, with SSH_LOST as the reason, once the connection has ended. */
  readonly lost: AbortSignal
}

/**
 * Connects to a machine, over all the machines before it, checking the host key of each. The pinned
 * key and a given fingerprint are those of the last machine. Errors: SSH_NO_HOST, SSH_UNREACHABLE,
 * SSH_DENIED, HOST_KEY_*, STATE_IO.
 */
export async function dial(target: SshTarget, options: DialOptions): Promise<Connection> {
  const wires: Wire[] = []
  try {
    for (const hop of target.jumps) {
      const {client, stream} = await connectHop(hop, {
        ...options,
        ...withoutPassword(options),
        pinned: undefined,
        accept: options.accept === true,
        ...through(wires.at(-1), hop),
      })
      wires.push(wireOver(client, hop.alias, {stream}))
    }
    const last = await connectHop(target, {...options, ...through(wires.at(-1), target)})
    const {client, stream} = last
    const wire = wireOver(client, target.target, {stream, below: () => closeAll(wires)})
    return remoteOver(wire, {hop: last, wires, env: options.env})
  } catch (error) {
    closeAll(wires)
    throw error
  }
}

/** A password that was given is the last machine's; the machines on the way must not come to know it. */
function withoutPassword({env, secrets}: DialOptions): Pick<DialOptions, 'env' | 'secrets'> {
  const {OLLAMAX_SSH_PASSWORD: _, ...others} = env
  const {password: __, ...left} = secrets ?? {}
  return {env: others, secrets: left}
}

function through(before: Wire | undefined, hop: SshTarget) {
  if (!before) return {}
  return {
    through: (signal: AbortSignal): Promise<Duplex> =>
      openForward(before, hop.port, {host: hop.host, signal}),
  }
}

function closeAll(wires: readonly Wire[]): void {
  for (const wire of [...wires].reverse()) void wire.close()
}

function remoteOver(
  wire: Wire,
  about: {hop: Hop; wires: readonly Wire[]; env: Readonly<NodeJS.ProcessEnv>},
): Connection {
  return {
    target: wire.label,
    hostKey: about.hop.hostKey,
    certified: about.hop.trust === 'authority',
    lost: wire.lost,
    login: about.hop.login,
    exec: (script, options) =>
      options?.lend
        ? about.hop.lent.during(options.lend, () => exec(wire, script, options))
        : exec(wire, script, options),
    put: (source, path, options) => put(wire, source, path, options),
    forward: (port, options) => openForward(wire, port, options),
    shell: (command) =>
      openShell(
        wire,
        {
          stdin: process.stdin,
          stdout: process.stdout,
          stderr: process.stderr,
          term: about.env.TERM ?? 'xterm',
        },
        command,
      ),
    async close() {
      await wire.close()
      await Promise.all([...about.wires].reverse().map((before) => before.close()))
    },
  }
}
