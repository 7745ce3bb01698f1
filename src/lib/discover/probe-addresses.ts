import {request} from 'node:http'
import {connect} from 'node:net'
import {setTimeout as pause} from 'node:timers/promises'
import type {Found} from './found.ts'

export interface ProbeOptions {
  readonly sshPort: number
  readonly ollamaPort: number
  /** Longest wait for one answer. */
  readonly timeoutMs: number
  /** Connections at the same time. */
  readonly atOnce: number
  /** New connections per second. */
  readonly perSecond: number
  readonly onProgress?: (done: number) => void
  readonly signal: AbortSignal
}

/**
 * Asks each address for an SSH server and an Ollama, with no more connections at once and per second than allowed.
 * Nothing is sent to an SSH server. Those that answer; never throws but when aborted.
 */
export async function probeAddresses(
  addresses: readonly string[],
  options: ProbeOptions,
): Promise<Found[]> {
  const {atOnce, perSecond, signal, onProgress} = options
  const found: Found[] = []
  const queue = addresses.values()
  let nextMs = performance.now()
  let done = 0
  const turn = async () => {
    nextMs = Math.max(nextMs, performance.now() - 1000 / perSecond) + 1000 / perSecond
    await pause(Math.max(0, nextMs - performance.now()), undefined, {signal})
  }
  const worker = async () => {
    for (const address of queue) {
      await turn()
      const greeting = await greetingOf(address, options)
      await turn()
      const version = await versionOf(address, options)
      onProgress?.(++done)
      if (greeting === undefined && version === undefined) continue
      found.push({
        address,
        ...(greeting === undefined ? {} : {ssh: {port: options.sshPort, greeting}}),
        ...(version === undefined ? {} : {ollama: {port: options.ollamaPort, version}}),
      })
    }
  }
  await Promise.all(Array.from({length: Math.min(atOnce, addresses.length)}, worker))
  return found
}

/** The first line of an SSH server, which speaks first. */
function greetingOf(address: string, options: ProbeOptions): Promise<string | undefined> {
  const {sshPort, timeoutMs, signal} = options
  return new Promise((resolve, reject) => {
    const socket = connect({host: address, port: sshPort})
    const timer = setTimeout(() => socket.destroy(), timeoutMs)
    const abort = () => socket.destroy()
    signal.addEventListener('abort', abort, {once: true})
    let text = ''
    socket.setEncoding('latin1')
    socket.on('data', (chunk: string) => {
      text += chunk
      if (/\n/.test(text) || text.length > 255) socket.destroy()
    })
    socket.on('error', () => {})
    socket.once('close', () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', abort)
      if (signal.aborted) reject(signal.reason as Error)
      else resolve(/^SSH-[^\r\n]{1,250}/.exec(text)?.[0])
    })
  })
}

function versionOf(address: string, options: ProbeOptions): Promise<string | undefined> {
  const {ollamaPort, timeoutMs, signal} = options
  return new Promise((resolve, reject) => {
    let text = ''
    const end = () => {
      if (signal.aborted) reject(signal.reason as Error)
      else resolve(/^\s*\{"version":\s*"([\w.+-]{1,60})"/.exec(text)?.[1])
    }
    const sent = request(
      {
        host: address,
        port: ollamaPort,
        path: '/api/version',
        agent: false,
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
      },
      (reply) => {
        reply.setEncoding('utf8')
        reply.on('data', (chunk: string) => {
          text += chunk
          if (text.length > 1000) reply.destroy()
        })
        reply.on('error', () => {})
      },
    )
    sent.on('error', () => {})
    sent.once('close', end)
    sent.end()
  })
}
