import {get} from 'node:http'
import {get as getTls} from 'node:https'
import {connect} from 'node:net'
import {setTimeout as pause} from 'node:timers/promises'
import {OllamaxError} from '../../errors.ts'
import type {ListenAddress} from '../listen-address.ts'

const WITHIN_MS = 30_000
const EVERY_MS = 200
const ONE_MS = 2000
/** A service that is down so long at a stretch does not come back: systemd tries again after 2 s. */
const DOWN_MS = 6000

/** BAD_INPUT if somebody listens at the address already: the service could not, and that one's answers would be taken for its. */
export async function nothingListens(
  {host, port}: ListenAddress,
  signal: AbortSignal,
): Promise<void> {
  const taken = await new Promise<boolean>((resolve) => {
    const own = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
    const socket = connect({host: own, port, signal, timeout: ONE_MS})
    const end = (result: boolean) => {
      socket.destroy()
      resolve(result)
    }
    socket.once('connect', () => end(true))
    socket.once('timeout', () => end(false))
    socket.once('error', () => end(false))
  })
  signal.throwIfAborted()
  if (taken)
    throw new OllamaxError('BAD_INPUT', `something listens on ${host}:${port} already`, {
      suggestions: ['end it first, or choose another one: --listen HOST:PORT'],
    })
}

/**
 * Resolves when /healthz answers and the service runs. ACTION_FAILED after 30 s, or 6 s of being down, with what `trouble` tells; undefined
 * from it means that the service runs.
 */
export async function waitHealthy(
  url: string,
  signal: AbortSignal,
  trouble: () => Promise<string | undefined>,
): Promise<void> {
  const until = performance.now() + WITHIN_MS
  let upMs = performance.now()
  let said: string | undefined
  while (performance.now() < until && performance.now() - upMs < DOWN_MS) {
    const healthy = await answers(`${url}/healthz`, signal)
    said = await trouble()
    if (healthy && said === undefined) return
    if (said === undefined) upMs = performance.now()
    await pause(EVERY_MS, undefined, {signal})
  }
  said ??= 'it runs, and says nothing'
  throw new OllamaxError(
    'ACTION_FAILED',
    `the service was started, but ${url} does not answer:\n${said}`,
    {suggestions: ['mend it, then run the command again', 'ollamax serve --uninstall']},
  )
}

/** Whose certificate it shows does not matter: it is this machine. */
function answers(url: string, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const options = {signal, timeout: ONE_MS}
    const sent = url.startsWith('https:')
      ? getTls(url, {...options, rejectUnauthorized: false})
      : get(url, options)
    sent.once('response', (response) => {
      response.resume()
      resolve(response.statusCode === 200)
    })
    sent.once('timeout', () => sent.destroy())
    sent.once('error', () => resolve(false))
    sent.once('close', () => resolve(false))
  })
}
