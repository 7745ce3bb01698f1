import {constants} from 'node:os'
import type {ClientChannel, PseudoTtyOptions} from 'ssh2'
import {messageOf, OllamaxError} from '../../errors.ts'
import type {Wire} from '../connect/wire.ts'
import {startDeadline} from '../deadline.ts'

/** The terminal (or pipes) that a remote shell is wired to. */
export interface Terminal {
  readonly stdin: NodeJS.ReadStream
  readonly stdout: NodeJS.WriteStream
  readonly stderr: NodeJS.WriteStream
  /** Value of TERM. */
  readonly term: string
}

const OPEN_MS = 20_000

/**
 * An interactive login shell, or `command` run by the account's shell, wired to the terminal: raw keys,
 * window size, exit code. Without a terminal it is plain pipes.
 */
export async function openShell(wire: Wire, terminal: Terminal, command?: string): Promise<number> {
  const {stdin, stdout, stderr, term} = terminal
  const pty: PseudoTtyOptions | false = stdin.isTTY
    ? {term, cols: stdout.columns ?? 80, rows: stdout.rows ?? 24}
    : false
  const deadline = startDeadline(
    OPEN_MS,
    undefined,
    () => new OllamaxError('TIMEOUT', `${wire.label} did not open a shell in time`),
  )
  const channel = await wire
    .session<ClientChannel>((client, done) => {
      if (command === undefined) client.shell(pty, done)
      else client.exec(command, pty ? {pty} : {}, done)
    }, deadline.signal)
    .catch((error) => {
      if (OllamaxError.is(error)) throw error
      throw new OllamaxError('SSH_NO_SHELL', `${wire.label} opens no shell: ${messageOf(error)}`)
    })
    .finally(() => deadline.clear())

  const resize = () => channel.setWindow(stdout.rows ?? 24, stdout.columns ?? 80, 0, 0)
  try {
    if (pty) stdin.setRawMode(true)
    stdout.on('resize', resize)
    stdin.pipe(channel)
    channel.pipe(stdout, {end: false})
    channel.stderr.pipe(stderr, {end: false})
    return await new Promise<number>((resolve, reject) => {
      let code: number | undefined
      channel.on('error', reject)
      channel.on('exit', (status: number | null, name?: string) => {
        code = status ?? 128 + (constants.signals[name as NodeJS.Signals] ?? 0)
      })
      channel.on('close', () =>
        wire.lost.aborted ? reject(wire.lost.reason) : resolve(code ?? 255),
      )
    })
  } finally {
    stdout.off('resize', resize)
    stdin.unpipe(channel)
    if (pty) stdin.setRawMode(false)
    stdin.pause()
  }
}
