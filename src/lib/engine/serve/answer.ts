import type {ServerResponse} from 'node:http'
import {sameModel, shortModelName} from '../../cluster/model-name.ts'
import type {ChatMessage, Prompt, Stats} from '../infer/messages.ts'
import {ChildGone} from './child.ts'
import type {Served} from './describe.ts'
import {sendJson, sendLine} from './exchange.ts'
import {
  type Body,
  type Common,
  type EmbedRequest,
  parseChat,
  parseEmbed,
  parseGenerate,
  type TextRequest,
} from './parse-request.ts'
import {Refusal} from './refusal.ts'
import type {Runner} from './runner.ts'

/** What an answer needs; `signal` aborts when the client is gone. */
export interface AnswerContext {
  readonly served: Served
  readonly runner: Runner
  readonly reply: ServerResponse
  readonly signal: AbortSignal
}

const ns = (ms: number) => Math.round(ms * 1e6)
const now = () => new Date().toISOString()

/** The two shapes that text comes in. */
interface Dialect {
  chunk(text: string): Readonly<Record<string, unknown>>
  /** What only the last object has. */
  last(stats: Stats): Readonly<Record<string, unknown>>
}

const GENERATE: Dialect = {
  chunk: (text) => ({response: text}),
  last: (stats) => ({context: stats.context}),
}
const CHAT: Dialect = {
  chunk: (text) => ({message: {role: 'assistant', content: text}}),
  last: () => ({}),
}

export async function answerGenerate(context: AnswerContext, body: Body): Promise<void> {
  const request = parseGenerate(body)
  if (request.model === '') throw new Refusal(404, "model '' not found")
  checkText(context, request)
  if (request.suffix) throw unsupported(request.model, 'insert')
  if (request.prompt === '' && request.system === undefined)
    return loadOrUnload(context, request, GENERATE)
  const tokens = request.context === undefined ? {} : {context: request.context}
  const prompt: Prompt = request.raw
    ? {kind: 'raw', text: request.prompt, ...tokens}
    : {kind: 'chat', messages: conversation(request.system, request.prompt), ...tokens}
  await answerText(context, {request, prompt, dialect: GENERATE})
}

export async function answerChat(context: AnswerContext, body: Body): Promise<void> {
  const request = parseChat(body)
  if (request.model === '') throw new Refusal(400, 'model is required')
  checkText(context, request)
  if (request.tools) throw unsupported(request.model, 'tools')
  const {messages} = request
  if (messages.length === 0) return loadOrUnload(context, request, CHAT)
  await answerText(context, {request, prompt: {kind: 'chat', messages}, dialect: CHAT})
}

export async function answerEmbed(context: AnswerContext, body: Body): Promise<void> {
  const started = performance.now()
  const request: EmbedRequest = parseEmbed(body)
  const {reply, runner, served, signal} = context
  if (!sameModel(request.model, served.model.name))
    throw new Refusal(404, `model "${request.model}" not found, try pulling it first`)
  if (!served.card.embedding)
    throw new Refusal(501, 'This model does not make embeddings; use an embedding model')
  const {inputs, truncate} = request
  const {vectors, tokens, loadMs} = await runner.use({...needOf(request), signal}, async (turn) => {
    const made = await turn.embed({kind: 'embed', inputs, truncate})
    return {...made, loadMs: turn.loadMs}
  })
  sendJson(reply, 200, {
    model: request.model,
    embeddings: vectors.map((vector) => shorten(vector, request.dimensions)),
    total_duration: ns(performance.now() - started),
    load_duration: ns(loadMs),
    prompt_eval_count: tokens,
  })
}

function checkText({served}: AnswerContext, request: TextRequest): void {
  if (!sameModel(request.model, served.model.name))
    throw new Refusal(404, `model '${request.model}' not found`)
  if (served.card.embedding)
    throw new Refusal(400, `"${request.model}" does not support chat|generate`)
  if (request.think) throw new Refusal(400, `"${request.model}" does not support thinking`)
  if (request.hasImages) throw new Refusal(400, 'this model does not take images')
}

function unsupported(model: string, what: string): Refusal {
  return new Refusal(
    400,
    `registry.ollama.ai/library/${shortModelName(model)} does not support ${what}`,
  )
}

function conversation(system: string | undefined, prompt: string): ChatMessage[] {
  const user = {role: 'user', content: prompt}
  return system ? [{role: 'system', content: system}, user] : [user]
}

function needOf(request: Common) {
  return {numCtx: request.numCtx, keepAliveMs: request.keepAliveMs}
}

async function loadOrUnload(
  {runner, reply, signal}: AnswerContext,
  request: TextRequest,
  dialect: Dialect,
): Promise<void> {
  const unload = request.keepAliveMs === 0
  if (unload) await runner.unload(signal)
  else await runner.use({...needOf(request), signal}, async () => {})
  sendJson(reply, 200, {
    model: request.model,
    created_at: now(),
    ...dialect.chunk(''),
    done: true,
    done_reason: unload ? 'unload' : 'load',
  })
}

async function answerText(
  {runner, reply, signal}: AnswerContext,
  {request, prompt, dialect}: {request: TextRequest; prompt: Prompt; dialect: Dialect},
): Promise<void> {
  const started = performance.now()
  const {model, sampling, format, stream} = request
  let whole = ''
  const onText = (text: string) => {
    whole += text
    if (stream) sendLine(reply, {model, created_at: now(), ...dialect.chunk(text), done: false})
  }
  try {
    await runner.use({...needOf(request), signal}, async (turn) => {
      const stats = await turn.generate(
        {kind: 'generate', prompt, sampling, ...(format === undefined ? {} : {format})},
        onText,
      )
      const last = {
        model,
        created_at: now(),
        ...dialect.chunk(stream ? '' : whole),
        done: true,
        done_reason: stats.reason,
        ...dialect.last(stats),
        total_duration: ns(performance.now() - started),
        load_duration: ns(turn.loadMs),
        prompt_eval_count: stats.promptTokens,
        prompt_eval_duration: ns(stats.promptMs),
        eval_count: stats.tokens,
        eval_duration: ns(stats.tokensMs),
      }
      if (stream) sendLine(reply, last)
      else sendJson(reply, 200, last)
    })
  } catch (error) {
    if (!(error instanceof ChildGone)) throw error
    if (!reply.headersSent)
      throw new Refusal(500, `the inference process is no longer running: ${error.message}`)
    sendLine(reply, {
      error: 'an error was encountered while running the model: unexpected EOF',
    })
  }
  if (stream) reply.end()
}

/** The first `dimensions` numbers, brought back to length 1. */
function shorten(vector: readonly number[], dimensions: number | undefined): readonly number[] {
  if (dimensions === undefined || dimensions <= 0 || dimensions >= vector.length) return vector
  const cut = vector.slice(0, dimensions)
  const length = Math.hypot(...cut) || 1
  return cut.map((value) => value / length)
}
