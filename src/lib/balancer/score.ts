import type {Terms} from '../cluster/routing.ts'
import type {BalanceRequest, Candidate} from './candidates.ts'
import {COLD_LOAD_MS, LEAST_PROMPT_TOKENS, type Rate} from './rates.ts'
import {expectedAnswer} from './work.ts'

/** Bytes per second that pass through the memory while a token is made: what bounds decoding. */
const MEMORY_BYTES_PER_S = {cpu: 15e9, unknown: 60e9, gpu: 300e9}
/** Prompt tokens are evaluated in batches, so this much faster than they are written. */
const PROMPT_FACTOR = {cpu: 5, unknown: 10, gpu: 25}
/** A cold read from a common SSD. */
const LOAD_BYTES_PER_MS = 1e6
/** Of a model whose size is not known. */
const SIZE_BYTES = 4e9
/** Prompts of up to so many times as many tokens are like those that were seen. */
const LIKE = 4
const RISK_MS = 20_000
const RISK_HALF_LIFE_MS = 10_000

/** The time after which a candidate is expected to have answered. `nowMs` is wall time. */
export function expectedTime(request: BalanceRequest, to: Candidate, nowMs: number): Terms {
  const {own, others} = to
  const prior = needsPrior(to) ? priorOf(to) : undefined
  const usual = to.answerTokens ?? own?.answerTokens ?? others.answerTokens
  const tokens = expectedAnswer(request, usual)
  const loadMs =
    to.residency === 'loaded'
      ? 0
      : (to.loadWaitMs ?? 0) + (to.residency === 'loading' ? 0 : expectedLoad(to))
  // Where only whole times were told, never counts, a whole time is all that can be expected.
  const wholeMs =
    own?.answerTps === undefined && own?.promptTps === undefined ? own?.serviceMs : undefined
  const promptTps = own?.promptTps ?? others.promptTps ?? prior?.promptTps ?? 1
  const answerTps = own?.answerTps ?? others.answerTps ?? prior?.answerTps ?? 1
  const slower = to.slower ?? 1
  const fresh = freshTokens(request, to)
  const likeMs = likePrompts(own, fresh)
  const promptMs = wholeMs === undefined ? (likeMs ?? (fresh / promptTps) * 1000) * slower : 0
  const answerMs = (wholeMs ?? (tokens / answerTps) * 1000) * slower
  const workMs = promptMs + answerMs
  const sharedMs = sharedTime(to, workMs)
  const waitMs = (to.waitMs ?? waitByCount(to, workMs)) + sharedMs
  const networkMs = to.latencyMs
  const riskMs = riskOf(to, nowMs)
  const harmMs = (to.harmMs ?? 0) + sharedMs + (slower - 1) * Math.min(to.batchMs ?? 0, workMs)
  const totalMs = waitMs + loadMs + promptMs + answerMs + networkMs + riskMs + harmMs
  const guessed = guessedOf(to, {
    prompt: wholeMs === undefined && likeMs === undefined,
    answer: wholeMs === undefined,
  })
  return {waitMs, loadMs, promptMs, answerMs, networkMs, riskMs, harmMs, totalMs, guessed}
}

function needsPrior({own, others}: Candidate): boolean {
  return (
    (own?.promptTps ?? others.promptTps) === undefined ||
    (own?.answerTps ?? others.answerTps) === undefined
  )
}

/** Two models that compute at once on the same hardware get half of it each, until one of them is done. */
export function sharedTime({beside, besideMs}: Candidate, workMs: number): number {
  return beside ? Math.min(besideMs ?? 0, beside * workMs) : 0
}

/** Time of a load of it, from nothing. */
export function expectedLoad(to: Candidate): number {
  return to.own?.loadMs ?? loadByRate(to) ?? to.others.loadMs ?? priorOf(to).loadMs
}

/** Ollama's default is one request at a time per model; those before ours are taken to be like it. */
function waitByCount({inFlight, own, others}: Candidate, likeOursMs: number): number {
  return inFlight * (own?.serviceMs ?? others.serviceMs ?? likeOursMs)
}

type Guess = Terms['guessed']
const GUESSES: readonly Guess[] = [
  [],
  ['load'],
  ['prompt'],
  ['load', 'prompt'],
  ['answer'],
  ['load', 'answer'],
  ['prompt', 'answer'],
  ['load', 'prompt', 'answer'],
]

/**
 * What prompts that were too short to tell a speed took, for one that is about like them; undefined: it is not, or the
 * speed is known.
 */
function likePrompts(own: Rate | undefined, fresh: number): number | undefined {
  if (own?.promptTps !== undefined || own?.promptMs === undefined) return undefined
  const times = fresh / Math.max(LEAST_PROMPT_TOKENS, own.promptTokens ?? 0)
  return times <= LIKE ? own.promptMs * Math.max(1, times) : undefined
}

/** `open`: what is a guess where no speed is known. */
function guessedOf(to: Candidate, open: {prompt: boolean; answer: boolean}): Guess {
  const cold = to.residency === 'cold' || to.residency === 'reload'
  const load = cold && to.own?.loadMs === undefined && to.loadBytesPerMs === undefined
  const prompt = open.prompt && to.own?.promptTps === undefined
  const answer = open.answer && to.own?.answerTps === undefined
  return GUESSES[(load ? 1 : 0) + (prompt ? 2 : 0) + (answer ? 4 : 0)] ?? []
}

/** Prompt tokens that the node has not evaluated before; a model that was unloaded has forgotten them. */
function freshTokens({promptTokens, cached}: BalanceRequest, to: Candidate): number {
  if (to.cachedTokens !== undefined) return Math.max(0, promptTokens - to.cachedTokens)
  if (cached?.node !== to.node || to.residency !== 'loaded') return promptTokens
  return Math.max(0, promptTokens - cached.promptTokens)
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
  if (failedAtMs === undefined || to.onTrial) return 0
  // Of a clock that was set back the distance still says that it was not just now.
  const risk = RISK_MS * 0.5 ** (Math.abs(nowMs - failedAtMs) / RISK_HALF_LIFE_MS)
  return risk < 1 ? 0 : risk
}
