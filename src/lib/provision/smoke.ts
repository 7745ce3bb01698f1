import type {Remote} from '../ssh/remote.ts'
import {getJson} from './probe.ts'

export interface SmokeOptions {
  readonly port: number
  readonly signal: AbortSignal
}

interface Model {
  readonly name: string
  readonly size?: number
  readonly capabilities?: readonly string[]
}

/** The smallest model on the host that can answer a prompt; undefined: it has none. */
export async function smallestModel(
  remote: Remote,
  options: SmokeOptions,
): Promise<string | undefined> {
  const tags = (await getJson(remote, {...options, path: '/api/tags', timeoutMs: 10_000})) as {
    models?: Model[]
  }
  return (tags.models ?? [])
    .filter((it) => it.capabilities === undefined || it.capabilities.includes('completion'))
    .sort((a, b) => (a.size ?? 0) - (b.size ?? 0))[0]?.name
}

/** How fast a model answers on a host. */
export interface Pace {
  readonly model: string
  /** Tokens per second; absent: the answer was too short to tell. */
  readonly tokensPerS?: number
}

/** Loading may take minutes, and comes with the first. */
const FIRST_MS = 300_000
const NEXT_MS = 120_000
const TOKENS = 64
/** The clock of a shorter answer tells more of the clock than of the model. */
const LEAST_MS = 20
const TRIES = 2

/**
 * Lets a model answer on an otherwise idle host: once to have it in memory, then twice for the better rate of the
 * two. Throws what asking throws; it changes nothing there but what is in memory.
 */
export async function measurePace(
  remote: Remote,
  {model, ...options}: SmokeOptions & {readonly model: string},
): Promise<Pace> {
  const ask = async (tokens: number, timeoutMs: number) => {
    const body = {
      model,
      prompt: 'Count from one to one hundred in words.',
      stream: false,
      options: {num_predict: tokens, seed: 1, temperature: 0},
    }
    const reply = await getJson(remote, {...options, path: '/api/generate', timeoutMs, body})
    return reply as {eval_count?: number; eval_duration?: number}
  }
  await ask(1, FIRST_MS)
  let best: number | undefined
  for (let n = 0; n < TRIES; n++) {
    const {eval_count: count = 0, eval_duration: ns = 0} = await ask(TOKENS, NEXT_MS)
    if (count > 1 && ns >= LEAST_MS * 1e6) best = Math.max(best ?? 0, (count * 1e9) / ns)
  }
  return {model, ...(best === undefined ? {} : {tokensPerS: best})}
}
