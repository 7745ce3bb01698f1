import type {ServerResponse} from 'node:http'
import {ApiError, head, sleep} from './http.ts'
import type {Fault, Settings} from './options.ts'
import type {Inference} from './request.ts'
import type {Lease} from './scheduler.ts'
import {garbage, type Native, type Voice} from './voice.ts'
import {countTokens, tokensFrom, tokensOf, valueFor} from './words.ts'

/** One answer under way. */
export interface Stage {
  readonly ask: Inference
  readonly voice: Voice
  readonly settings: Settings
  readonly fault: Fault | undefined
  readonly lease: Lease
  readonly res: ServerResponse
  readonly signal: AbortSignal
  /** `performance.now()` at which the request came. */
  readonly beganAt: number
  /** Called when the fault is the runner's death. */
  readonly onCrash: () => void
}

const EOF_LINE = {error: 'an error was encountered while running the model: unexpected EOF'}

/** Plays one answer in real time: evaluates the prompt, then token after token; the header goes with the first. */
export async function play(stage: Stage): Promise<void> {
  const {ask, settings, signal} = stage
  const promptCount = countTokens(ask.prompt)
  const promptStart = performance.now()
  const news = settings.prefixCache ? uncached(ask.prompt, stage.lease.runner.prompts) : promptCount
  const prefillMs = settings.prefillTokensPerS > 0 ? (news / settings.prefillTokensPerS) * 1000 : 0
  await sleep(settings.firstTokenDelayMs + prefillMs, signal)
  if (settings.prefixCache) stage.lease.runner.prompts.push(ask.prompt)
  const evalStart = performance.now()
  const answer = answerTo(ask, settings)
  const ended = await decode(stage, answer.pieces, evalStart)
  if (!ended) return
  const end = performance.now()
  const final = {
    ...chunk(ask, ask.stream ? {} : ended),
    done: true,
    done_reason: answer.reason,
    ...(ask.kind === 'generate' ? {context: [1, 2, ...answer.pieces.keys()]} : {}),
    total_duration: ns(end - stage.beganAt),
    load_duration: Math.max(ns(stage.lease.loadMs), 1000),
    prompt_eval_count: promptCount,
    prompt_eval_duration: Math.max(ns(evalStart - promptStart), 1000),
    eval_count: answer.pieces.length,
    eval_duration: Math.max(ns(end - evalStart), 1000),
  }
  if (!ask.stream) return sendWhole(stage, final)
  startStream(stage)
  stage.res.end(stage.voice.line(final))
}

type Part = 'text' | 'thinking' | 'tool'
interface Piece {
  readonly part: Part
  readonly text: string
}
type Parts = Partial<Record<Part, string>>

/** Sends the pieces; undefined if a fault ended the answer, else all of it as one. */
async function decode(
  stage: Stage,
  pieces: readonly Piece[],
  startedAt: number,
): Promise<Parts | undefined> {
  const {ask, settings, fault, res, signal} = stage
  const rate = settings.decodeTokensPerS
  const whole: Parts = {}
  for (const [i, piece] of pieces.entries()) {
    if (fault && (await struck(stage, i, whole))) return undefined
    // By due time, not by pauses, so that a coarse timer does not slow the stream down.
    const aheadMs = rate > 0 ? startedAt + ((i + 1) * 1000) / rate - performance.now() : 0
    if (aheadMs > 1) await sleep(aheadMs, signal)
    else if (i % 64 === 63) await new Promise(setImmediate)
    signal.throwIfAborted()
    whole[piece.part] = (whole[piece.part] ?? '') + piece.text
    if (!ask.stream) continue
    startStream(stage)
    const line = stage.voice.line({...chunk(ask, {[piece.part]: piece.text}), done: false})
    if (!res.write(line)) await drained(res, signal)
  }
  if (fault && (await struck(stage, pieces.length, whole))) return undefined
  return whole
}

/** Does what the fault wants at this token; true if the answer is over. */
async function struck(stage: Stage, token: number, whole: Parts): Promise<boolean> {
  const {fault, res, ask, signal} = stage
  if (!fault || !('afterTokens' in fault) || fault.afterTokens !== token) return false
  if (fault.kind === 'garbage') {
    startStream(stage)
    res.write(garbage(stage.voice))
    return false
  }
  if (ask.stream && token > 0) await flushed(res, signal)
  if (fault.kind === 'stall') {
    await new Promise((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), {once: true})
    })
  }
  if (fault.kind !== 'cut') return false
  if (fault.how === 'rst') res.socket?.resetAndDestroy()
  else if (fault.how === 'fin') res.socket?.destroy()
  else if (fault.how === 'torn') {
    startStream(stage)
    const line = stage.voice.line({...chunk(ask, {text: 'torn'}), done: false})
    res.write(line.slice(0, line.length / 2))
    await flushed(res, signal)
    res.socket?.destroy()
  } else if (fault.how === 'error-line') {
    stage.onCrash()
    if (token === 0 || !ask.stream)
      throw new ApiError(500, 'llama-server process no longer running: unknown ')
    // Only Ollama's own API has a word for it: in the others it is lost, as in the real server.
    res.end(stage.voice.line(EOF_LINE))
  } else if (ask.stream) {
    startStream(stage)
    res.end()
  } else sendWhole(stage, {...chunk(ask, whole), done: false})
  return true
}

function startStream({res, voice}: Stage): void {
  if (!res.headersSent) head(res, 200, voice.streamType)
}

function sendWhole({res, voice}: Stage, native: Native): void {
  head(res, 200, voice.wholeType).end(JSON.stringify(voice.whole(native)))
}

const drained = (res: ServerResponse, signal: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    res.once('drain', resolve)
    signal.addEventListener('abort', () => reject(signal.reason), {once: true})
  })

/** Until what was written has left this process and the peer had time to read it: an RST overtakes what is unread. */
async function flushed(res: ServerResponse, signal: AbortSignal): Promise<void> {
  do await sleep(20, signal)
  while ((res.socket?.writableLength ?? 0) > 0)
}

function chunk(ask: Inference, parts: Parts): Record<string, unknown> {
  const base = {model: ask.spelt, created_at: new Date().toISOString()}
  const thinking = parts.thinking === undefined ? {} : {thinking: parts.thinking}
  if (ask.kind === 'generate') return {...base, response: parts.text ?? '', ...thinking}
  const tool = parts.tool === undefined ? {} : {tool_calls: [JSON.parse(parts.tool)]}
  return {...base, message: {role: 'assistant', content: parts.text ?? '', ...thinking, ...tool}}
}

interface Answer {
  readonly pieces: readonly Piece[]
  readonly reason: 'stop' | 'length'
}

/** What is said: by `answer`, by the format asked for, or words drawn by seed. */
function answerTo(ask: Inference, settings: Settings): Answer {
  const call = settings.toolCall
  if (ask.tools && call) {
    const entry = {id: 'call_1', function: {index: 0, name: call.name, arguments: call.arguments}}
    return {pieces: [{part: 'tool', text: JSON.stringify(entry)}], reason: 'stop'}
  }
  const luck = ask.seed ?? (ask.temperature === 0 ? 0 : Math.random())
  const source = `${ask.model.digest} ${luck} ${ask.prompt}`
  const thoughts = ask.think ? tokensFrom(`thoughts ${source}`, 4) : []
  const said = cutAtStop(saidBy(ask, settings, source), ask.stop)
  const all: Piece[] = [
    ...thoughts.map((text) => ({part: 'thinking' as const, text})),
    ...said.map((text) => ({part: 'text' as const, text})),
  ]
  const limit = ask.numPredict !== undefined && ask.numPredict >= 0 ? ask.numPredict : all.length
  return {pieces: all.slice(0, limit), reason: limit < all.length ? 'length' : 'stop'}
}

function saidBy(ask: Inference, settings: Settings, source: string): string[] {
  if (ask.format === 'json') return tokensOf(JSON.stringify({answer: 'word'}, null, 1))
  if (ask.format) return tokensOf(JSON.stringify(valueFor(ask.format), null, 1))
  if (settings.answer !== undefined) return tokensOf(goneOn(settings.answer, ask.begun))
  return tokensFrom(source, Math.max(settings.answerTokens, 0))
}

/** What is left of an answer whose beginning stands in the prompt already, as a model goes on with it. */
function goneOn(answer: string, begun: string): string {
  for (let length = answer.length; length > 0; length--)
    if (begun.endsWith(answer.slice(0, length))) return answer.slice(length)
  return answer
}

function cutAtStop(tokens: readonly string[], stops: readonly string[]): string[] {
  const text = tokens.join('')
  const ends = stops.map((s) => text.indexOf(s)).filter((at) => at >= 0)
  return ends.length === 0 ? [...tokens] : tokensOf(text.slice(0, Math.min(...ends)))
}

/** Tokens of the prompt that no remembered prompt begins with. */
function uncached(prompt: string, known: readonly string[]): number {
  const tokens = tokensOf(prompt)
  let best = 0
  for (const other of known) {
    const otherTokens = tokensOf(other)
    let same = 0
    while (same < tokens.length && tokens[same] === otherTokens[same]) same++
    best = Math.max(best, same)
  }
  return Math.max(countTokens(prompt) - best - (best > 0 ? 5 : 0), 1)
}

const ns = (ms: number): number => Math.round(ms * 1e6)
