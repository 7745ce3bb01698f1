import {Duplex} from 'node:stream'
import type {ClientChannel} from 'ssh2'
import {messageOf, OllamaxError} from '../../errors.ts'
import type {Wire} from '../connect/wire.ts'
import {abortable, startDeadline} from '../deadline.ts'

export interface ForwardOptions {
  readonly host?: string
  readonly signal?: AbortSignal
}

/** Reasons of RFC 4254, 5.1 for a refused channel. */
const PROHIBITED = 1
const CONNECT_FAILED = 2
const OPEN_MS = 15_000

/** A TCP stream from the other machine to `host:port` as seen there (default its own loopback). */
export async function openForward(
  wire: Wire,
  port: number,
  options: ForwardOptions = {},
): Promise<Duplex> {
  const host = options.host ?? '127.0.0.1'
  const deadline = startDeadline(
    OPEN_MS,
    options.signal,
    () =>
      new OllamaxError('TIMEOUT', `${wire.label} did not open a stream to ${host}:${port} in time`),
  )
  try {
    wire.lost.throwIfAborted()
    const opening = new Promise<ClientChannel>((resolve, reject) => {
      wire.client.forwardOut('127.0.0.1', 0, host, port, (error, channel) =>
        error ? reject(error) : resolve(channel),
      )
    })
    const signal = AbortSignal.any([deadline.signal, wire.lost])
    const channel = await abortable(signal, opening).catch((error) => {
      if (signal.aborted)
        opening.then(
          (late) => late.close(),
          () => {},
        )
      throw error
    })
    return new ForwardStream(channel, wire)
  } catch (error) {
    throw OllamaxError.is(error) || deadline.signal.aborted
      ? error
      : refusal(error, {label: wire.label, host, port})
  } finally {
    deadline.clear()
  }
}

function refusal(
  error: unknown,
  to: {readonly label: string; readonly host: string; readonly port: number},
): OllamaxError {
  const reason = (error as {reason?: unknown}).reason
  const where = `${to.host}:${to.port}`
  if (reason === CONNECT_FAILED) {
    return new OllamaxError('NODE_UNREACHABLE', `nothing answers on ${where} of ${to.label}`, {
      suggestions: ['is the service running there?'],
      cause: error,
    })
  }
  const why = reason === PROHIBITED ? 'forwarding is not allowed' : messageOf(error)
  return new OllamaxError('SSH_CHANNEL', `${to.label} refused a stream to ${where}: ${why}`, {
    suggestions: ['look at AllowTcpForwarding and PermitOpen in its sshd_config'],
    cause: error,
  })
}

/**
 * A channel as a well-behaved stream: destroy closes it, a lost connection is an error (ssh2 shows a
 * clean end), and both directions wait for the slower side.
 */
class ForwardStream extends Duplex {
  readonly #channel: ClientChannel
  readonly #lost: AbortSignal
  readonly #onLost: () => void

  constructor(channel: ClientChannel, wire: Wire) {
    // As sockets do by default: what ends on one side ends on the other, so no stream is left over.
    super({allowHalfOpen: false})
    this.#channel = channel
    this.#lost = wire.lost
    this.#onLost = () => this.destroy(wire.lost.reason)
    wire.lost.addEventListener('abort', this.#onLost, {once: true})
    channel.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) channel.pause()
    })
    channel.on('end', () => this.push(null))
    channel.on('error', (error: Error) => this.destroy(error))
    channel.on('close', () => {
      if (this.#lost.aborted) this.destroy(this.#lost.reason)
      // What the other side had sent is still to be read; only then is it the end.
      else if (this.readableEnded) this.destroy()
      else this.once('end', () => this.destroy())
    })
  }

  override _read(): void {
    this.#channel.resume()
  }

  override _write(chunk: Buffer, encoding: BufferEncoding, done: (error?: Error) => void): void {
    this.#channel.write(chunk, encoding, (error) => done(error ?? undefined))
  }

  override _final(done: () => void): void {
    this.#channel.end()
    done()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#lost.removeEventListener('abort', this.#onLost)
    this.#channel.close()
    // Nobody reads it any more, and only a drained channel is forgotten by ssh2.
    this.#channel.resume()
    done(error)
  }

  // What HTTP clients expect of a socket.
  setNoDelay(): this {
    return this
  }
  setKeepAlive(): this {
    return this
  }
  setTimeout(): this {
    return this
  }
  ref(): this {
    return this
  }
  unref(): this {
    return this
  }
}
