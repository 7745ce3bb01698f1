import {randomBytes} from 'node:crypto'
import {constants} from 'node:os'
import {Readable} from 'node:stream'
import {pipeline} from 'node:stream/promises'
import type {Client, ClientChannel} from 'ssh2'
import {messageOf, OllamaxError} from '../../errors.ts'
import {abortable, startDeadline} from '../deadline.ts'
import {oneLine, quote} from '../quote.ts'
import type {ExecOptions, ExecResult} from '../remote.ts'
import type {Wire} from '../wire.ts'

const TIMEOUT_MS = 60_000
const MAX_BYTES = 8 * 1024 * 1024
const CUT = '\n[cut here]\n'

/** `$1` marks where the script's own output begins, `$2` is the script, the rest are its arguments. */
const BOOT = 'echo "$1" >&2; echo "$1"; _ox=$(printf %b "$2"); shift 2; eval "$_ox"'
const BOOT_PTY = 'echo "$1"; _ox=$(printf %b "$2"); shift 2; eval "$_ox"'

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
    const channel = await wire
      .session<ClientChannel>((client, done) => client.exec(line, pty, done), signal)
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
    let code: number | undefined
    channel.on('data', (chunk: Buffer) => out.add(chunk))
    channel.stderr.on('data', (chunk: Buffer) => err.add(chunk))
    channel.on('error', reject)
    channel.on('exit', (status: number | null, name?: string) => {
      code = status ?? 128 + (constants.signals[name as NodeJS.Signals] ?? 0)
    })
    channel.on('close', () => {
      if (wire.lost.aborted) reject(wire.lost.reason)
      else if (code !== undefined) resolve(code)
      else if (!out.started) reject(noShell(wire, out.noise() || err.noise()))
      else reject(new OllamaxError('SSH_LOST', `${wire.label} ended a command without saying how`))
    })
  })
  ended.catch(() => {})
  const feeding = feed(wire.client, channel, {options, signal})
  feeding.catch(() => {})
  try {
    const code = await abortable(signal, Promise.race([ended, feeding.then(() => ended)]))
    if (!out.started) throw noShell(wire, `${out.noise()} ${err.noise()}`.trim())
    return {code, stdout: out.text(), stderr: options.pty ? '' : err.text()}
  } catch (error) {
    end(wire.client, channel)
    throw error
  }
}

/** Writes stdin and closes it. A command that does not want to read it is no error. */
async function feed(
  client: Client,
  channel: ClientChannel,
  {options: {stdin, pty}, signal}: {options: ExecOptions; signal: AbortSignal},
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
    end(client, channel)
    throw new OllamaxError('BAD_INPUT', `the input of a command broke off: ${messageOf(error)}`, {
      cause: error,
    })
  })
}

/** Asks sshd to end the command, then closes the channel whatever it answers. */
function end(client: Client, channel: ClientChannel): void {
  // Public `channel.signal()` does nothing once stdin is closed, which it is here.
  const protocol = (client as {_protocol?: {signal?(id: number, name: string): void}})._protocol
  const outgoing = channel.outgoing as {id: number; state: string}
  if (outgoing.state === 'open' || outgoing.state === 'eof') {
    protocol?.signal?.(outgoing.id, 'TERM')
    channel.close()
  }
  channel.resume().stderr.resume()
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

/** Collects one output stream from the marker on, and keeps what came before it apart. */
class Output {
  started = false
  readonly #mark: Buffer
  readonly #limit: number
  readonly #tell: ((chunk: Buffer) => void) | undefined
  #before = Buffer.alloc(0)
  #kept: Buffer[] = []
  #bytes = 0

  constructor(marker: string, limit: number, tell: ((chunk: Buffer) => void) | undefined) {
    this.#mark = Buffer.from(`${marker}\n`)
    this.#limit = limit
    this.#tell = tell
  }

  add(chunk: Buffer): void {
    if (this.started) {
      this.#take(chunk)
      return
    }
    this.#before = Buffer.concat([this.#before, chunk])
    const at = this.#before.indexOf(this.#mark)
    if (at < 0) {
      // Start-up files may print without end; the marker itself may be cut in two.
      if (this.#before.length > 1024 * 1024) this.#before = this.#before.subarray(-64 * 1024)
      return
    }
    this.started = true
    const rest = this.#before.subarray(at + this.#mark.length)
    this.#before = Buffer.alloc(0)
    if (rest.length > 0) this.#take(rest)
  }

  #take(chunk: Buffer): void {
    this.#tell?.(chunk)
    const room = this.#limit - this.#bytes
    this.#bytes += chunk.length
    if (room > 0) this.#kept.push(chunk.subarray(0, room))
  }

  noise(): string {
    return this.#before.toString('utf8')
  }

  text(): string {
    const text = Buffer.concat(this.#kept).toString('utf8')
    return this.#bytes > this.#limit ? text + CUT : text
  }
}
