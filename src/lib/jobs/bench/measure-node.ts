import {queueMs, wasCold} from '../../balancer/rates.ts'
import {
  type AtOnceFigure,
  type BenchFigures,
  median,
  slotsFrom,
  wantsMore,
} from '../../cluster/bench.ts'
import {messageOf, OllamaxError} from '../../errors.ts'
import {generate} from '../../ollama/client.ts'
import type {Endpoint} from '../../ollama/endpoint.ts'
import {freshPrompt, type MeasuredAnswer, measuredAnswer} from './measured-answer.ts'

export interface MeasureOptions {
  readonly model: string
  /** The model is taken out of memory first. */
  readonly cold: boolean
  /** Prompts of so many tokens. */
  readonly sizes: readonly number[]
  /** Answers of each kind, of which the middle one counts. */
  readonly rounds: number
  /** Never more requests at once. */
  readonly mostAtOnce: number
  /** Ends the measuring; what was measured until then stays. */
  readonly signal: AbortSignal
  /** What is done now. */
  readonly step: (name: string) => void
}

export interface Measured {
  readonly figures: BenchFigures
  /** Every answer as it was, for who wants to reckon otherwise. */
  readonly raw: readonly RawAnswer[]
  /** Why it ended before its end; absent: it did not. */
  readonly stopped?: string
}

export interface RawAnswer extends MeasuredAnswer {
  readonly kind: 'cold' | 'prefill' | 'decode' | 'at-once'
  /** Aimed at. */
  readonly promptTokens: number
  readonly atOnce: number
}

const DECODE_TOKENS = 64
const SHORT_TOKENS = 16
const UNLOAD_MS = 15_000
/** A wait at the node that is more than scheduling and network. */
const LEAST_WAIT_MS = 20
const WAITED_SHARE = 0.15

/**
 * Measures one model on one node by asking it: load, first tokens, prompts of several sizes, answers alone, and ever
 * more at once. Whatever goes wrong ends it with what there is by then; throws only what fails before the first figure.
 */
export async function measureNode(endpoint: Endpoint, options: MeasureOptions): Promise<Measured> {
  const {model, sizes, rounds, signal, step} = options
  const raw: RawAnswer[] = []
  const figures: {-readonly [name in keyof BenchFigures]: BenchFigures[name]} & {
    prefill: BenchFigures['prefill'][number][]
    atOnce: AtOnceFigure[]
  } = {prefill: [], atOnce: []}
  const ask = async (kind: RawAnswer['kind'], promptTokens: number, most: number, atOnce = 1) => {
    const prompt = freshPrompt(promptTokens, Math.random)
    const answer = {...(await measuredAnswer(endpoint, {model, prompt, most}, signal))}
    raw.push({kind, promptTokens, atOnce, ...answer})
    return answer
  }
  try {
    if (options.cold) {
      step('unload')
      await unload(endpoint, model, signal)
    }
    step('load')
    const first = await ask('cold', SHORT_TOKENS, 1)
    if (wasCold(first.stats)) {
      if (first.stats.loadMs !== undefined) figures.loadMs = first.stats.loadMs
      figures.firstColdMs = first.firstMs
    }
    step('decode')
    const alone: MeasuredAnswer[] = []
    for (let at = 0; at < rounds; at++) alone.push(await ask('decode', SHORT_TOKENS, DECODE_TOKENS))
    Object.assign(figures, given({firstWarmMs: median(alone.map(({firstMs}) => firstMs))}))
    Object.assign(figures, given({decodeTps: median(alone.flatMap(decodeTps))}))
    for (const tokens of sizes) {
      step(`prefill of ${tokens}`)
      const prompts: MeasuredAnswer[] = []
      for (let at = 0; at < rounds; at++) prompts.push(await ask('prefill', tokens, 1))
      const tps = median(prompts.flatMap(prefillTps))
      const counted = median(prompts.flatMap(({stats}) => stats.promptTokens ?? []))
      if (tps !== undefined && counted !== undefined) figures.prefill.push({tokens, counted, tps})
    }
    for (let requests = 1; wantsMore(figures.atOnce, options.mostAtOnce); requests *= 2) {
      step(`${requests} at once`)
      const startMs = performance.now()
      const answers = await Promise.all(
        Array.from({length: requests}, () => ask('at-once', SHORT_TOKENS, DECODE_TOKENS, requests)),
      )
      const seconds = (performance.now() - startMs) / 1000
      const tokens = answers.reduce((sum, {stats}) => sum + (stats.answerTokens ?? 0), 0)
      if (tokens === 0) break
      const waited = answers.filter(hasWaited).length
      figures.atOnce.push({requests, tps: tokens / seconds, waited})
      Object.assign(figures, given({slots: slotsFrom(figures.atOnce)}))
    }
    return {figures, raw}
  } catch (error) {
    if (raw.length === 0) throw error
    return {figures, raw, stopped: OllamaxError.is(error) ? error.message : messageOf(error)}
  }
}

function given<T extends object>(fields: T): Partial<T> {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined),
  ) as Partial<T>
}

function decodeTps({stats: {answerTokens = 0, answerMs = 0}}: MeasuredAnswer): number[] {
  return answerTokens > 1 && answerMs > 0 ? [(answerTokens * 1000) / answerMs] : []
}

function prefillTps({stats: {promptTokens = 0, promptMs = 0}}: MeasuredAnswer): number[] {
  return promptTokens > 0 && promptMs > 0 ? [(promptTokens * 1000) / promptMs] : []
}

function hasWaited({stats, tookMs}: MeasuredAnswer): boolean {
  const waitMs = queueMs(stats) ?? 0
  return waitMs > LEAST_WAIT_MS && waitMs > tookMs * WAITED_SHARE
}

/** Asks for it and waits until it is gone. */
async function unload(endpoint: Endpoint, model: string, signal: AbortSignal): Promise<void> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(UNLOAD_MS)])
  const chunks = await generate(endpoint, {model, keep_alive: 0}, {signal: limit})
  for await (const _ of chunks);
}
