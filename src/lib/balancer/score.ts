import type {BalanceRequest, Candidate} from './candidates.ts'
import {COLD_LOAD_MS} from './rates.ts'

/** Why a node is expected to take so long, in ms. The total is the sum of the others. */
export interface Terms {
  /** Until the requests before ours are done. */
  readonly waitMs: number
  /** Loading the model; 0 if it is in memory. */
  readonly loadMs: number
  /** Evaluating the prompt. */
  readonly promptMs: number
  /** Writing the answer. */
  readonly answerMs: number
  /** To the node and back. */
  readonly networkMs: number
  /** For a failure a short while ago. */
  readonly riskMs: number
  readonly totalMs: number
  /** Which of them rest on a guess: nothing was measured of this model on this node. */
  readonly guessed: readonly ('load' | 'prompt' | 'answer')[]
}

/** Bytes per second that pass through the memory while a token is made: what bounds decoding. */
const MEMORY_BYTES_PER_S = {cpu: 15e9, unknown: 60e9, gpu: 300e9}
/** Prompt tokens are evaluated in batches, so this much faster than they are written. */
const PROMPT_FACTOR = {cpu: 5, unknown: 10, gpu: 25}
/** A cold read from a common SSD. */
const LOAD_BYTES_PER_MS = 1e6
const ANSWER_TOKENS = 200
/** Of a model whose size is not known. */
const SIZE_BYTES = 4e9
const RISK_MS = 20_000
const RISK_HALF_LIFE_MS = 10_000

/** The time after which a candidate is expected to have answered. `nowMs` is wall time. */
export function expectedTime(request: BalanceRequest, to: Candidate, nowMs: number): Terms {
  const guessed: Array<'load' | 'prompt' | 'answer'> = []
  const take = <T>(what: 'load' | 'prompt' | 'answer', measured: T | undefined, guess: T): T => {
    if (measured === undefined) guessed.push(what)
    return measured ?? guess
  }
  const prior = priorOf(to)
  const tokens = answerTokens(request, to)
  const loadMs =
    to.residency === 'loaded'
      ? 0
      : take('load', to.own?.loadMs ?? loadByRate(to), to.others.loadMs ?? prior.loadMs)
  const promptTps = take('prompt', to.own?.promptTps, to.others.promptTps ?? prior.promptTps)
  const answerTps = take('answer', to.own?.answerTps, to.others.answerTps ?? prior.answerTps)
  const promptMs = (freshTokens(request, to) / promptTps) * 1000
  const answerMs = (tokens / answerTps) * 1000
  // Ollama's default is one request at a time per model; those before ours are taken to be like it.
  const eachMs = to.own?.serviceMs ?? to.others.serviceMs ?? promptMs + answerMs
  const waitMs = to.inFlight * eachMs
  const networkMs = to.latencyMs
  const riskMs = riskOf(to, nowMs)
  const totalMs = waitMs + loadMs + promptMs + answerMs + networkMs + riskMs
  return {waitMs, loadMs, promptMs, answerMs, networkMs, riskMs, totalMs, guessed}
}

/** Prompt tokens that the node has not evaluated before; a model that was unloaded has forgotten them. */
function freshTokens({promptTokens, cached}: BalanceRequest, to: Candidate): number {
  if (cached?.node !== to.node || to.residency !== 'loaded') return promptTokens
  return Math.max(0, promptTokens - cached.promptTokens)
}

function answerTokens(request: BalanceRequest, to: Candidate): number {
  const usual = to.own?.answerTokens ?? to.others.answerTokens ?? ANSWER_TOKENS
  const most = request.maxAnswerTokens
  return most !== undefined && most > 0 ? Math.min(usual, most) : usual
}

function loadByRate(to: Candidate): number | undefined {
  if (to.loadBytesPerMs === undefined) return undefined
  return Math.max(COLD_LOAD_MS, to.sizeBytes / to.loadBytesPerMs)
}

/** What is expected of hardware nobody has measured yet, from the model's size and where it computes. */
function priorOf(to: Candidate): {loadMs: number; promptTps: number; answerTps: number} {
  const kind = to.gpu === undefined ? 'unknown' : to.gpu ? 'gpu' : 'cpu'
  const bytes = to.sizeBytes || SIZE_BYTES
  const answerTps = Math.min(500, MEMORY_BYTES_PER_S[kind] / bytes)
  return {
    answerTps,
    promptTps: answerTps * PROMPT_FACTOR[kind],
    loadMs: COLD_LOAD_MS + bytes / LOAD_BYTES_PER_MS,
  }
}

/** A node that fails at once looks fast and idle; the memory of it halves every ten seconds. */
function riskOf(to: Candidate, nowMs: number): number {
  const {failedAtMs} = to.own ?? {}
  if (failedAtMs === undefined) return 0
  // Of a clock that was set back the distance still says that it was not just now.
  const risk = RISK_MS * 0.5 ** (Math.abs(nowMs - failedAtMs) / RISK_HALF_LIFE_MS)
  return risk < 1 ? 0 : risk
}
