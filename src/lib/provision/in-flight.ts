import {setTimeout as pause} from 'node:timers/promises'
import type {Remote} from '../ssh/remote.ts'

/** `$1` port: the connections to the server there, with what the kernel knows of each; `unknown` where it cannot be asked. */
const CONNECTIONS = `LC_ALL=C; export LC_ALL
PATH=$PATH:/usr/sbin:/sbin; export PATH
command -v ss >/dev/null 2>&1 || { echo unknown; exit 0; }
ss -Htin state established "sport = :$1" 2>/dev/null || echo unknown`

/** An answer that says nothing for so long is taken for one that has ended; slower than a token in 5 s is no use. */
const SILENT_MS = 5000
/** What is answered sooner is a look (a list, a version), and no answer of a model. */
const LOOK_MS = 250

/**
 * How many requests a server has in hand, from what `ss -tin` says of its connections. A client that spoke last
 * waits for an answer; a server that spoke of late, and long after the client, is in the middle of one. Idle
 * connections that are only kept, and looks of a gateway, are neither. Undefined: it cannot be known.
 */
export function requestsIn(text: string): number | undefined {
  if (/^unknown$/m.test(text)) return undefined
  return text.split('\n').filter((line) => /^\s/.test(line) && isBusy(line)).length
}

function isBusy(info: string): boolean {
  // A value of 0 is left out.
  const value = (name: string) => Number(new RegExp(`\\s${name}:(\\d+)`).exec(info)?.[1] ?? 0)
  const [sentMs, receivedMs] = [value('lastsnd'), value('lastrcv')]
  if (value('bytes_received') === 0) return false
  if (value('bytes_sent') === 0 || receivedMs < sentMs) return true
  return sentMs < SILENT_MS && receivedMs - sentMs > LOOK_MS
}

export interface QuietOptions {
  readonly port: number
  readonly limitMs: number
  /** Called when it is seen that requests are in hand, with how many. */
  readonly onBusy?: (requests: number) => void
  readonly signal: AbortSignal
}

/** Two looks so far apart must both see nothing: between them a stream that just began becomes one that is seen. */
const EVERY_MS = 1000

/**
 * Waits until the Ollama there has no request in hand. `busy`: it still has some at the deadline; `unknown`: the
 * machine cannot tell.
 */
export async function awaitQuiet(
  remote: Remote,
  options: QuietOptions,
): Promise<'quiet' | 'busy' | 'unknown'> {
  const {port, limitMs, onBusy, signal} = options
  const untilMs = performance.now() + limitMs
  let quiet = 0
  let told: number | undefined
  for (;;) {
    const said = await remote.exec(CONNECTIONS, {reads: true, args: [`${port}`], signal})
    const requests = said.code === 0 ? requestsIn(said.stdout) : undefined
    if (requests === undefined) return 'unknown'
    quiet = requests === 0 ? quiet + 1 : 0
    if (quiet === 2) return 'quiet'
    if (requests > 0 && requests !== told) onBusy?.(requests)
    told = requests
    if (requests > 0 && performance.now() > untilMs) return 'busy'
    await pause(EVERY_MS, undefined, {signal})
  }
}
