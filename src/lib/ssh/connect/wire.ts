import type {Duplex} from 'node:stream'
import {setTimeout as pause} from 'node:timers/promises'
import type {Client, ClientChannel} from 'ssh2'
import {messageOf, OllamaxError} from '../../errors.ts'
import {abortable} from '../deadline.ts'

/** Opens a session channel on a client and calls back, as `client.exec` and its like do. */
export type Opener<C> = (
  client: Client,
  done: (error: Error | undefined, channel: C) => void,
) => void

/**
 * One authenticated connection and its session channels. sshd allows only so many at a time
 * (MaxSessions); a refused one waits here until one of ours is closed.
 */
export interface Wire {
  readonly label: string
  readonly client: Client
  /** Aborted with SSH_LOST once the connection is gone. */
  readonly lost: AbortSignal
  /**
   * A session channel, as soon as the server allows one. `closed` must settle when it is gone.
   * SSH_CHANNEL if the server refuses though none is open, SSH_NO_SHELL if it refuses what it is for.
   */
  session<C extends Session>(open: Opener<C>, signal: AbortSignal): Promise<C>
  close(): Promise<void>
}

/** What the counting needs of a channel: SFTP sessions and ssh2's channels both have it. */
export interface Session {
  once(event: 'close', listener: () => void): unknown
  end(): unknown
}

/** What a wire lies on: the stream below its client, and how the machines on the way are closed with it. */
export interface Under {
  readonly stream: Duplex
  readonly below?: () => void
}

/** Wraps a connected client. */
export function wireOver(client: Client, label: string, {stream, below}: Under): Wire {
  const lost = new AbortController()
  let closing = false
  let why: unknown
  const gone = () => {
    if (lost.signal.aborted) return
    lost.abort(
      new OllamaxError(
        'SSH_LOST',
        closing
          ? `the SSH connection to ${label} was closed`
          : `the SSH connection to ${label} ended${why ? `: ${messageOf(why)}` : ''}`,
        {suggestions: ['run it again; if it keeps ending, look at the journal there'], cause: why},
      ),
    )
    below?.()
  }
  // Both come before ssh2 ends the channels, and an ended channel looks like a clean end of its stream.
  client.on('error', (error: Error) => {
    why ??= error
  })
  client.on('end', gone)
  client.on('close', gone)
  const sessions = countSessions(client, lost.signal)
  sessions.keepOne()
  return {
    label,
    client,
    lost: lost.signal,
    session: sessions.open,
    async close() {
      if (lost.signal.aborted) return
      closing = true
      const ended = new Promise<void>((resolve) => {
        lost.signal.addEventListener('abort', () => resolve(), {once: true})
      })
      client.end()
      // Not by the client: once it has said goodbye it destroys nothing more, and a dead machine never says it back.
      const timer = setTimeout(() => stream.destroy(), GOODBYE_MS)
      await ended
      clearTimeout(timer)
    },
  }
}

/** As long as the other side may take to hang up. */
const GOODBYE_MS = 2000
const ALONE_TRIES = 5

function countSessions(client: Client, lost: AbortSignal) {
  /** Channels that are open or being opened. */
  let busy = 0
  let keeper: Promise<ClientChannel | undefined> | undefined
  const waiting: Array<() => void> = []
  const wakeOne = () => waiting.shift()?.()
  const attempt = async <C extends Session>(opener: Opener<C>): Promise<C> => {
    busy++
    const freed = () => {
      busy--
      wakeOne()
    }
    try {
      const channel = await new Promise<C>((resolve, reject) => {
        opener(client, (error, opened) => (error ? reject(error) : resolve(opened)))
      })
      channel.once('close', freed)
      return channel
    } catch (error) {
      freed()
      throw error
    }
  }
  const turn = (signal: AbortSignal) => {
    const mine = Promise.withResolvers<void>()
    waiting.push(mine.resolve)
    return abortable(signal, mine.promise).catch((error) => {
      const at = waiting.indexOf(mine.resolve)
      // Woken and aborted at once: the turn is the next one's.
      if (at < 0) wakeOne()
      else waiting.splice(at, 1)
      throw error
    })
  }
  let dismissing: Promise<void> | undefined
  const dismissKeeper = async () => {
    const channel = await keeper
    if (channel) {
      const closed = new Promise((resolve) => channel.once('close', resolve))
      // By the end of its input: a channel that is just closed counts until its command has ended.
      channel.end()
      await closed
    }
    keeper = undefined
  }
  return {
    async open<C extends Session>(opener: Opener<C>, caller: AbortSignal): Promise<C> {
      const signal = AbortSignal.any([caller, lost])
      for (let alone = 0; ; ) {
        signal.throwIfAborted()
        const work = attempt(opener)
        try {
          return await abortable(signal, work)
        } catch (error) {
          if (signal.aborted) {
            // Nobody waits any more: a channel that comes after all must not stay open.
            work.then(
              (channel) => channel.end(),
              () => {},
            )
            throw signal.reason
          }
          if (!isOpenFailure(error)) throw error
          if (keeper) {
            dismissing ??= dismissKeeper()
            await abortable(signal, dismissing)
          } else if (busy > 0) await turn(signal)
          // A command that was broken off may still count for a moment.
          else if (++alone > ALONE_TRIES) throw refused(error)
          else await abortable(signal, pause(25 * 2 ** alone))
        }
      }
    },
    /**
     * sshd sends small packets at once (TCP_NODELAY) only after a session channel was opened, so one
     * stays open beside the forwarded streams. It gives way where sessions are scarce.
     */
    keepOne() {
      const opening = new Promise<ClientChannel | undefined>((resolve) => {
        client.exec('exec cat', (error, channel) => {
          resolve(error ? undefined : channel)
          if (error) return
          channel.on('error', () => {})
          channel.resume().stderr.resume()
          channel.once('close', () => {
            keeper = undefined
          })
        })
      })
      keeper = opening
      void opening.then((channel) => {
        if (!channel) keeper = undefined
      })
    },
  }
}

/** True where the server refused the channel itself, not what was asked on it. */
function isOpenFailure(error: unknown): boolean {
  return error instanceof Error && 'reason' in error
}

function refused(cause: unknown): OllamaxError {
  return new OllamaxError(
    'SSH_CHANNEL',
    `the SSH server allows no session at all: ${messageOf(cause)}`,
    {suggestions: ['look at MaxSessions in its sshd_config'], cause},
  )
}
