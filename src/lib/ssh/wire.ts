import type {Client, ClientChannel} from 'ssh2'
import {messageOf, OllamaxError} from '../errors.ts'
import {abortable} from './deadline.ts'

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
}

/** Wraps a connected client; `below` (the hops before it) is closed with it. */
export function wireOver(client: Client, label: string, below?: () => void): Wire {
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
      const timer = setTimeout(() => client.destroy(), 2000)
      await ended
      clearTimeout(timer)
    },
  }
}

function countSessions(client: Client, lost: AbortSignal) {
  let open = 0
  let keeper: ClientChannel | undefined
  const waiting: Array<() => void> = []
  const attempt = <C extends Session>(opener: Opener<C>) =>
    new Promise<C>((resolve, reject) => {
      try {
        opener(client, (error, channel) => (error ? reject(error) : resolve(channel)))
      } catch (error) {
        reject(error)
      }
    })
  const counted = <C extends Session>(channel: C): C => {
    open++
    channel.once('close', () => {
      open--
      waiting.shift()?.()
    })
    return channel
  }
  const freed = (signal: AbortSignal) => {
    const turn = Promise.withResolvers<void>()
    waiting.push(turn.resolve)
    return abortable(signal, turn.promise).finally(() => {
      const at = waiting.indexOf(turn.resolve)
      if (at >= 0) waiting.splice(at, 1)
      // Woken and aborted at once: the turn is the next one's.
      else if (signal.aborted) waiting.shift()?.()
    })
  }
  return {
    async open<C extends Session>(opener: Opener<C>, caller: AbortSignal): Promise<C> {
      const signal = AbortSignal.any([caller, lost])
      for (;;) {
        signal.throwIfAborted()
        const work = attempt(opener)
        // Nobody waits any more: a channel that comes after all must not stay open.
        const orphan = () =>
          void work.then(
            (c) => (c as unknown as ClientChannel).close?.(),
            () => {},
          )
        try {
          const channel = await abortable(signal, work)
          return counted(channel)
        } catch (error) {
          if (signal.aborted) orphan()
          signal.throwIfAborted()
          if (!isOpenFailure(error)) throw error
          if (keeper) {
            const closed = new Promise((resolve) => keeper?.once('close', resolve))
            keeper.close()
            keeper = undefined
            await abortable(signal, closed)
          } else if (open === 0) throw refused(error)
          else await freed(signal)
        }
      }
    },
    /**
     * sshd sends small packets at once (TCP_NODELAY) only after a session channel was opened, so one
     * stays open beside the forwarded streams. It gives way where sessions are scarce.
     */
    keepOne() {
      client.exec('exec cat', (error, channel) => {
        if (error) return
        keeper = channel
        channel.on('error', () => {})
        channel.resume().stderr.resume()
        channel.once('close', () => {
          if (keeper === channel) keeper = undefined
          waiting.shift()?.()
        })
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
