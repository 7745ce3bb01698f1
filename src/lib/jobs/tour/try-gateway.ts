import {spawn} from 'node:child_process'
import {createInterface} from 'node:readline'
import {OllamaxError} from '../../errors.ts'
import {generate} from '../../ollama/client.ts'
import type {Tools} from '../tools.ts'

export interface TryGatewayOptions {
  readonly program: string
  /** Words behind `serve`. */
  readonly words: readonly string[]
  readonly model: string
  readonly prompt: string
  /** Told the address once it listens, before anything is asked. */
  readonly listening: (url: string) => void
  readonly onText: (text: string) => void
}

const START_MS = 30_000
const STOP_MS = 10_000
const MAX_TOKENS = 200

/**
 * Starts a gateway on loopback, asks it one prompt as other programs would, and ends it again, also after an error or
 * an interrupt. STEP_FAILED with its last words if it does not start; what the answer can fail with.
 */
export async function tryGateway(
  {env, signal}: Pick<Tools, 'env' | 'signal'>,
  options: TryGatewayOptions,
): Promise<void> {
  const words = ['serve', '--listen', '127.0.0.1:0', ...options.words]
  const child = spawn(process.execPath, [options.program, ...words], {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
    // Ctrl-C is for us: we end it when we have ended what we ask of it.
    detached: true,
  })
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => resolve())
    child.once('error', () => resolve())
  })
  try {
    const url = await addressOf(child.stderr, signal)
    options.listening(url)
    const request = {
      model: options.model,
      prompt: options.prompt,
      options: {num_predict: MAX_TOKENS},
    }
    const limits = {
      signal,
      connectTimeoutMs: 5000,
      headersTimeoutMs: 300_000,
      idleTimeoutMs: 120_000,
    }
    const endpoint = {kind: 'url', url, headers: {}} as const
    for await (const {text, thinking} of await generate(endpoint, request, limits))
      options.onText(text || thinking)
  } finally {
    child.kill('SIGTERM')
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
    await ended
    clearTimeout(timer)
  }
}

/** Where it says in its log that it listens. */
async function addressOf(log: NodeJS.ReadableStream, signal: AbortSignal): Promise<string> {
  const lines = createInterface(log)
  const until = AbortSignal.any([signal, AbortSignal.timeout(START_MS)])
  let last = 'it said nothing'
  const url = await new Promise<string | undefined>((resolve) => {
    until.addEventListener('abort', () => resolve(undefined), {once: true})
    lines.once('close', () => resolve(undefined))
    // Read to the end: a pipe that nobody empties would stop the gateway.
    lines.on('line', (line) => {
      last = line.trim() || last
      const listening =
        /"msg":"listening".*?"url":"([^"]+)"|"url":"([^"]+)".*?"msg":"listening"/.exec(line)
      if (listening) resolve(listening[1] ?? listening[2])
    })
  })
  signal.throwIfAborted()
  if (url === undefined)
    throw new OllamaxError('STEP_FAILED', `the gateway does not start: ${last}`, {
      suggestions: ['ollamax serve'],
    })
  return url
}
