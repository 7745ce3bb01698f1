import {embed, embeddings, openAiEmbeddings} from './embed.ts'
import {bodyOf, type Exchange, type Route} from './exchange.ts'
import {ApiError, sendJson, sendText} from './http.ts'
import {blob, copy, create, pull, push, remove, show} from './manage.ts'
import {messages} from './messages.ts'
import {detailsOf, fullName, type Model} from './model.ts'
import {chatCompletions, completions, modelEntry} from './openai.ts'
import {play} from './play.ts'
import {inferenceOf} from './request.ts'
import {responses} from './responses.ts'
import type {Runner} from './scheduler.ts'
import {type Accent, ownAccent} from './voice.ts'

type Methods = Readonly<Record<string, Route>>

/** Path -> method -> answer; anything else is 404 or 405 in plain text, as Go's router says it. */
const ROUTES: Readonly<Record<string, Methods>> = {
  '/': both(({res}) => sendText(res, 200, 'Ollama is running')),
  '/api/version': both(({res, settings}) => sendJson(res, 200, {version: settings.version})),
  '/api/tags': both(({res, store}) => sendJson(res, 200, {models: store.list().map(tagOf)})),
  '/api/status': {
    GET: ({res}) => sendJson(res, 200, {cloud: {disabled: true, source: 'env'}}),
  },
  '/api/ps': {
    GET: ({res, scheduler, settings}) =>
      sendJson(res, 200, {models: scheduler.loaded().map((r) => psOf(r, settings.gpuShare))}),
  },
  '/api/show': {POST: show},
  '/api/generate': {POST: (exchange) => infer(ownAccent('generate'), exchange)},
  '/api/chat': {POST: (exchange) => infer(ownAccent('chat'), exchange)},
  '/api/embed': {POST: embed},
  '/api/embeddings': {POST: embeddings},
  '/api/pull': {POST: pull},
  '/api/push': {POST: push},
  '/api/create': {POST: create},
  '/api/copy': {POST: copy},
  '/api/delete': {DELETE: remove},
  '/v1/chat/completions': {POST: (exchange) => infer(chatCompletions, exchange)},
  '/v1/completions': {POST: (exchange) => infer(completions, exchange)},
  '/v1/embeddings': {POST: openAiEmbeddings},
  '/v1/responses': {POST: (exchange) => infer(responses, exchange)},
  '/v1/messages': {POST: (exchange) => infer(messages, exchange)},
  '/v1/models': {GET: listModels},
}

/** Paths that a fault of scope `inference` strikes. */
export const INFERENCE = new Set([
  '/api/generate',
  '/api/chat',
  '/api/embed',
  '/api/embeddings',
  '/v1/chat/completions',
  '/v1/completions',
  '/v1/embeddings',
  '/v1/responses',
  '/v1/messages',
])

/** What the path can be asked by each method; undefined where there is nothing. */
export function methodsOf(path: string): Methods | undefined {
  if (Object.hasOwn(ROUTES, path)) return ROUTES[path]
  if (/^\/api\/blobs\/[^/]+$/.test(path)) return {HEAD: blob, POST: blob}
  if (/^\/v1\/models\/.+$/.test(path)) return {GET: retrieveModel}
  return undefined
}

function both(route: Route): Methods {
  return {GET: route, HEAD: route}
}

function tagOf(model: Model): Record<string, unknown> {
  return {
    name: model.name,
    model: model.name,
    modified_at: model.modifiedAt,
    size: model.sizeBytes,
    digest: model.digest,
    details: detailsOf(model),
    capabilities: model.listedCapabilities ?? undefined,
  }
}

function psOf(runner: Runner, gpuShare: number): Record<string, unknown> {
  const size = Math.round(runner.model.sizeBytes * (1 + 0.1 * runner.slots))
  return {
    name: runner.name,
    model: runner.name,
    size,
    digest: runner.model.digest,
    details: detailsOf(runner.model),
    expires_at: new Date(runner.expiresAtMs).toISOString(),
    size_vram: Math.round(size * gpuShare),
    context_length: runner.numCtx,
  }
}

function listModels({res, store}: Exchange): void {
  const data = store.list().map(({name, modifiedAt}) => modelEntry(name, modifiedAt))
  sendJson(res, 200, {object: 'list', data})
}

function retrieveModel({res, path, store}: Exchange): void {
  const id = decodeURIComponent(path.slice('/v1/models/'.length))
  const model = store.list().find(({name}) => name === fullName(id))
  if (!model) throw new ApiError(404, `model '${id}' not found`)
  sendJson(res, 200, modelEntry(id, model.modifiedAt))
}

async function infer(accent: Accent, exchange: Exchange): Promise<void> {
  const {res, scheduler, signal, settings, fault, store, beganAt} = exchange
  const body = await bodyOf(exchange)
  const ask = inferenceOf(accent.kind, accent.native(body), {store, settings})
  const voice = accent.voice(body)
  const empty = ask.prompt === ''
  const alone = (reason: 'load' | 'unload'): void => {
    const said = ask.kind === 'chat' ? {message: {role: 'assistant', content: ''}} : {response: ''}
    const base = {model: ask.spelt, created_at: new Date().toISOString()}
    sendJson(res, 200, voice.whole({...base, ...said, done: true, done_reason: reason}))
  }
  if (empty && ask.keepAliveMs === 0) {
    scheduler.unload(ask.model)
    return alone('unload')
  }
  const {model, numCtx, keepAliveMs: keep} = ask
  const lease = await scheduler.acquire({
    model,
    numCtx,
    key: ask.runnerKey,
    keepAliveMs: keep,
    signal,
  })
  try {
    if (empty) return alone('load')
    const onCrash = (): void => scheduler.drop(lease.runner)
    await play({ask, voice, settings, fault, lease, res, signal, beganAt, onCrash})
  } finally {
    lease.release()
  }
}
