import {randomBytes} from 'node:crypto'
import {constants} from 'node:os'
import {Readable} from 'node:stream'
import {pipeline} from 'node:stream/promises'
import type {ClientChannel} from 'ssh2'
import {messageOf, OllamaxError} from '../../errors.ts'
import type {Wire} from '../connect/wire.ts'
import {abortable, startDeadline} from '../deadline.ts'
import {oneLine, quote} from '../quote.ts'
import type {ExecOptions, ExecResult} from '../remote.ts'

const TIMEOUT_MS = 60_000
const MAX_BYTES = 8 * 1024 * 1024
const CUT = '\n[cut here]\n'

const KILL_MS = 5000

/**
 * `$1` marks where the script's own output begins (and tells its process), `$2` is the script, the rest
 * are its arguments.
 */
const BOOT = 'echo "$1 $$" >&2; echo "$1 $$"; _ox=$(printf %b "$2"); shift 2; eval "$_ox"'
const BOOT_PTY = 'echo "$1 $$"; _ox=$(printf %b "$2"); shift 2; eval "$_ox"'
/**
 * sshd makes each command the leader of a process group, unless something in between forked. What ends on
 * TERM may take 2.5 s to tidy up; the rest is killed.
 */
const KILL = `send() { kill "$1" -"$p" 2>/dev/null || kill "$1" "$p" 2>/dev/null; }
p=$1 n=0
send -TERM
while [ $n -lt 25 ] && send -0; do n=$((n + 1)); sleep 0.1; done
send -KILL`

/** The one line that any login shell can run to have `script` run by /bin/sh. */
export function commandLine(
  script: string,
  args: readonly string[],
  how: {readonly marker: string; readonly pty?: boolean},
): string {
  const words = [how.pty ? BOOT_PTY : BOOT, 'sh', how.marker, oneLine(script), ...args]
  return `exec /bin/sh -c ${words.map(quote).join(' ')}`
}

/** Runs a script on the other machine; see `Remote.exec`. */
export async function exec(
  wire: Wire,
  script: string,
  options: ExecOptions = {},
): Promise<ExecResult> {
  const timeoutMs = options.timeoutMs ?? TIMEOUT_MS
  const deadline = startDeadline(
    timeoutMs,
    options.signal,
    () =>
      new OllamaxError(
        'TIMEOUT',
        `a command on ${wire.label} was not done within ${Math.round(timeoutMs / 1000)} s`,
        {suggestions: ['the machine may be overloaded or hang; ollamax doctor tells more']},
      ),
  )
  const signal = AbortSignal.any([deadline.signal, wire.lost])
  try {
    const marker = `ox-${randomBytes(12).toString('hex')}`
    const line = commandLine(script, options.args ?? [], {marker, pty: options.pty ?? false})
    // No echo, and no CR before each line feed.
    const pty = options.pty ? {pty: {term: 'dumb', modes: {ECHO: 0, ONLCR: 0}} as const} : {}
    // Its types know it only for shells.
    const how = options.lend ? {...pty, agentForward: true} : pty
    const channel = await wire
      .session<ClientChannel>((client, done) => client.exec(line, how, done), signal)
      .catch((error) => {
        throw OllamaxError.is(error) || signal.aborted ? error : noShell(wire, messageOf(error))
      })
    return await collect(wire, channel, {options, marker, signal})
  } finally {
    deadline.clear()
  }
}

interface Run {
  readonly options: ExecOptions
  readonly marker: string
  readonly signal: AbortSignal
}

async function collect(wire: Wire, channel: ClientChannel, run: Run): Promise<ExecResult> {
  const {options, marker, signal} = run
  const limit = options.maxBytes ?? MAX_BYTES
  const out = new Output(marker, limit, options.onStdout)
  const err = new Output(marker, limit, options.onStderr)
  const ended = new Promise<number>((resolve, reject) => {
    channel.on('data', (chunk: Buffer) => {
      const taken = out.add(chunk)
      if (!taken) return
      channel.pause()
      taken.then(
        () => channel.resume(),
        (error: unknown) => {
          reject(error)
        },
      )
    })
    channel.stderr.on('data', (chunk: Buffer) => err.add(chunk))
    channel.on('error', reject)
    // Not `exit`: of a quick command that comes in one packet with the channel itself, before anybody listens.
    channel.on('close', (status?: number | null, name?: string) => {
      const bySignal =
        name === undefined ? undefined : 128 + (constants.signals[name as NodeJS.Signals] ?? 0)
      const code = status ?? bySignal
      if (wire.lost.aborted) reject(wire.lost.reason)
      else if (code !== undefined) resolve(code)
      else if (!out.started) reject(noShell(wire, out.noise() || err.noise()))
      else reject(new OllamaxError('SSH_LOST', `${wire.label} ended a command without saying how`))
    })
  })
  ended.catch(() => {})
  const feeding = feed(channel, options, signal)
  feeding.catch(() => {})
  try {
    const code = await abortable(signal, Promise.race([ended, feeding.then(() => ended)]))
    if (!out.started) throw noShell(wire, `${out.noise()} ${err.noise()}`.trim())
    return {code, stdout: out.text(), stderr: options.pty ? '' : err.text()}
  } catch (error) {
    await stop(wire, channel, out.pid)
    throw error
  }
}

/** Writes stdin and closes it. A command that does not want to read it is no error. */
async function feed(
  channel: ClientChannel,
  {stdin, pty}: ExecOptions,
  signal: AbortSignal,
): Promise<void> {
  if (pty) {
    // A terminal has no end of file but the character for it, once at the start of a line.
    const text =
      stdin instanceof Readable ? await stdin.toArray() : stdin === undefined ? [] : [stdin]
    for (const part of text) channel.write(part)
    channel.write(text.length > 0 ? '\x04\x04' : '\x04')
    return
  }
  if (!(stdin instanceof Readable)) {
    channel.end(stdin ?? undefined)
    return
  }
  const over = new AbortController()
  channel.once('close', () => over.abort())
  const stop = AbortSignal.any([signal, over.signal])
  await pipeline(stdin, channel, {signal: stop}).catch((error) => {
    // The source broke: what ran must not take the part for the whole.
    if (stop.aborted) return
    throw new OllamaxError('BAD_INPUT', `the input of a command broke off: ${messageOf(error)}`, {
      cause: error,
    })
  })
}

/**
 * Closes the channel and ends the command behind it: sshd itself lets it run on, and refuses to pass
 * signals for some accounts (root), so it is killed by another command.
 */
async function stop(wire: Wire, channel: ClientChannel, pid: string): Promise<void> {
  channel.close()
  channel.resume().stderr.resume()
  if (pid === '' || wire.lost.aborted) return
  const line = commandLine(KILL, [pid], {marker: 'kill'})
  const deadline = startDeadline(
    KILL_MS,
    wire.lost,
    () => new OllamaxError('TIMEOUT', 'the kill command took too long'),
  )
  try {
    const killer = await wire.session<ClientChannel>(
      (client, done) => client.exec(line, done),
      deadline.signal,
    )
    killer.resume().stderr.resume()
    killer.end()
    await abortable(deadline.signal, new Promise((resolve) => killer.once('close', resolve)))
  } catch {
    // Nothing more can be done from here, and what stopped the command is the error to show.
  } finally {
    deadline.clear()
  }
}

function noShell(wire: Wire, said: string): OllamaxError {
  const words = said.trim().slice(0, 300)
  return new OllamaxError(
    'SSH_NO_SHELL',
    `${wire.label} lets us in, but runs no commands for this account${words ? `; it says: ${words}` : ''}`,
    {
      suggestions: [
        'use an account with a login shell, without a forced command (sftp only) in its sshd_config or authorized_keys',
      ],
    },
  )
}

/** Collects one output stream from the marker's line on, and keeps what came before it apart. */
class Output {
  started = false
  /** Process number of the script there; empty until it has started. */
  pid = ''
  readonly #mark: Buffer
  readonly #limit: number
  readonly #tell: ((chunk: Buffer) => Promise<void> | void) | undefined
  #before = Buffer.alloc(0)
  #kept: Buffer[] = []
  #bytes = 0

  constructor(
    marker: string,
    limit: number,
    tell: ((chunk: Buffer) => Promise<void> | void) | undefined,
  ) {
    this.#mark = Buffer.from(`${marker} `)
    this.#limit = limit
    this.#tell = tell
  }

  /** A promise where the listener wants no more before it settles. */
  add(chunk: Buffer): Promise<void> | undefined {
    if (this.started) return this.#take(chunk)
    this.#before = Buffer.concat([this.#before, chunk])
    const at = this.#before.indexOf(this.#mark)
    const end = at < 0 ? -1 : this.#before.indexOf('\n', at)
    if (end < 0) {
      // Start-up files may print without end; the marker itself may be cut in two.
      if (this.#before.length > 1024 * 1024) this.#before = this.#before.subarray(-64 * 1024)
      return undefined
    }
    this.started = true
    this.pid = this.#before.toString('latin1', at + this.#mark.length, end).trim()
    const rest = this.#before.subarray(end + 1)
    this.#before = Buffer.alloc(0)
    return rest.length > 0 ? this.#take(rest) : undefined
  }

  #take(chunk: Buffer): Promise<void> | undefined {
    const room = this.#limit - this.#bytes
    this.#bytes += chunk.length
    if (room > 0) this.#kept.push(chunk.subarray(0, room))
    return this.#tell?.(chunk) ?? undefined
  }

  noise(): string {
    return this.#before.toString('utf8')
  }

  text(): string {
    const text = Buffer.concat(this.#kept).toString('utf8')
    return this.#bytes > this.#limit ? text + CUT : text
  }
}
