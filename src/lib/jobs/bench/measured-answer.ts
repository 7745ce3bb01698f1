import type {AnswerStats} from '../../cluster/answer-stats.ts'
import {generate} from '../../ollama/client.ts'
import type {Endpoint} from '../../ollama/endpoint.ts'

/** One answer with its times. */
export interface MeasuredAnswer {
  readonly stats: AnswerStats
  /** By our clock, from sending to the first piece, ms. */
  readonly firstMs: number
  /** ...and to the last one. */
  readonly tookMs: number
}

const CONNECT_MS = 10_000

/** Asks a node, and looks at the clock. Errors are those of `generate`. */
export async function measuredAnswer(
  endpoint: Endpoint,
  ask: {readonly model: string; readonly prompt: string; readonly most: number},
  signal: AbortSignal,
): Promise<MeasuredAnswer> {
  const {model, prompt, most} = ask
  const startMs = performance.now()
  // No context of its own: another one than the loaded would load the model anew, for everybody.
  const body = {model, prompt, options: {num_predict: most, temperature: 0, seed: 1}}
  const chunks = await generate(endpoint, body, {signal, connectTimeoutMs: CONNECT_MS})
  let firstMs: number | undefined
  let stats: AnswerStats = {}
  for await (const chunk of chunks) {
    firstMs ??= performance.now() - startMs
    stats = chunk.stats ?? stats
  }
  const tookMs = performance.now() - startMs
  return {stats, firstMs: firstMs ?? tookMs, tookMs}
}

const WORDS =
  'river stone light field cloud paper music train glass bread north green seven table water'.split(
    ' ',
  )

/** A text of about so many tokens that no node has seen yet: its beginning is in no cache. */
export function freshPrompt(tokens: number, random: () => number): string {
  const pick = () => WORDS[Math.floor(random() * WORDS.length)] ?? ''
  const salt = Math.floor(random() * 1e9).toString(36)
  return `${salt} ${Array.from({length: Math.max(1, tokens - 4)}, pick).join(' ')}`
}
