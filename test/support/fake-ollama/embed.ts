import {bodyOf, type Exchange} from './exchange.ts'
import {ApiError, sendJson, sleep} from './http.ts'
import {fullName} from './model.ts'
import {embeddingList} from './openai.ts'
import {keepAliveMs} from './request.ts'
import {countTokens, normalised, vectorFor} from './words.ts'

const inputsOf = (input: unknown): readonly string[] =>
  [input ?? []].flat().filter((text) => text !== '') as string[]
const tokensOf = (inputs: readonly string[]): number =>
  inputs.reduce((sum, text) => sum + countTokens(text), 0)

async function vectors(
  exchange: Exchange,
  inputs: readonly string[],
  given: Record<string, unknown>,
) {
  const {store, scheduler, settings, signal} = exchange
  const spelt = String(given.model ?? '')
  const model = store.list().find((m) => m.name === fullName(spelt))
  if (!model) throw new ApiError(404, `model "${spelt}" not found, try pulling it first`)
  if (!model.capabilities.includes('embedding'))
    throw new ApiError(501, 'This server does not support embeddings. Start it with `--embeddings`')
  const lease = await scheduler.acquire({
    model,
    key: 'embedding',
    numCtx: settings.numCtx,
    keepAliveMs: keepAliveMs(given.keep_alive) ?? settings.keepAliveMs,
    signal,
  })
  try {
    await sleep(settings.firstTokenDelayMs, signal)
    const dimensions = typeof given.dimensions === 'number' ? given.dimensions : 64
    const all = inputs.map((text) =>
      normalised(vectorFor(`${model.digest} ${text}`, 64).slice(0, dimensions)),
    )
    return {spelt, all, loadMs: lease.loadMs}
  } finally {
    lease.release()
  }
}

export async function embed(exchange: Exchange): Promise<void> {
  const given = await bodyOf(exchange)
  const inputs = inputsOf(given.input)
  const {spelt, all, loadMs} = await vectors(exchange, inputs, given)
  sendJson(exchange.res, 200, {
    model: spelt,
    embeddings: all,
    total_duration: Math.round((performance.now() - exchange.beganAt) * 1e6),
    load_duration: Math.max(Math.round(loadMs * 1e6), 1000),
    prompt_eval_count: tokensOf(inputs),
  })
}

/** POST /api/embeddings, the older one: one prompt, one vector. */
export async function embeddings(exchange: Exchange): Promise<void> {
  const given = await bodyOf(exchange)
  const {all} = await vectors(exchange, [String(given.prompt ?? '')], given)
  sendJson(exchange.res, 200, {embedding: all[0] ?? []})
}

export async function openAiEmbeddings(exchange: Exchange): Promise<void> {
  const given = await bodyOf(exchange)
  if (given.input === undefined || given.input === null || [given.input].flat().length === 0)
    throw new ApiError(400, 'invalid input')
  const inputs = inputsOf(given.input)
  const {all} = await vectors(exchange, inputs, given)
  sendJson(exchange.res, 200, embeddingList(given, all, tokensOf(inputs)))
}
