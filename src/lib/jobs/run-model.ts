import {resolveAlias} from '../cluster/alias.ts'
import type {AnswerStats} from '../cluster/answer-stats.ts'
import {OllamaxError} from '../errors.ts'
import {chat, generate} from '../ollama/client.ts'
import type {AnswerChunk, ChatRequest, GenerateRequest} from '../ollama/wire.ts'
import type {Asked, Attempt, DispatchNote, Order} from './ask-node.ts'
import {withDeadline} from './deadline.ts'
import {dispatch} from './dispatch.ts'
import type {PullOptions} from './offer-pull.ts'
import type {Tools} from './tools.ts'

export type RunTools = Pick<Tools, 'cluster' | 'endpoint' | 'paths' | 'ask'>

/** What is asked, of whom, and how long one is ready to wait. */
export interface RunOptions extends PullOptions {
  /** Body of /api/generate, or of /api/chat if it has `messages`. */
  readonly body: GenerateRequest | ChatRequest
  readonly node?: string | undefined
  readonly policy?: string | undefined
  /** Where the beginning of the prompt was evaluated before. */
  readonly cached?: Order<unknown>['request']['cached']
  /** For the whole of it. */
  readonly timeoutMs?: number | undefined
  readonly signal: AbortSignal
  /**
   * Takes each chunk as it comes and says whether anything of it was shown to somebody: from then on no
   * other node is asked. The next chunk is read when it resolves.
   */
  readonly show: (chunk: AnswerChunk) => boolean | Promise<boolean>
  /** A node has failed before anything was shown: what was collected of its answer is void. */
  readonly restart?: () => void
  readonly note?: (note: DispatchNote) => void
}

/** A whole answer. */
export interface Answer {
  readonly model: string
  readonly node: string
  readonly response: string
  readonly thinking: string
  readonly doneReason: string
  readonly stats: AnswerStats
  /** Every node that was asked, the one that answered last. */
  readonly attempts: readonly Attempt[]
}

/**
 * Streams an answer from the best node; see `dispatch` for failover and errors. A model that no node has
 * is pulled and then run if the options or the person at the terminal want it.
 */
export async function runModel(tools: RunTools, options: RunOptions): Promise<Answer> {
  const limit = withDeadline([options.signal], options.timeoutMs)
  try {
    return await answer(tools, {...options, signal: limit.signal})
  } catch (error) {
    if (!OllamaxError.is(error, 'MODEL_NOT_FOUND')) throw error
    options.note?.({kind: 'idle'})
    const {offerPull} = await import('./offer-pull.ts')
    const node = await offerPull(tools, error, {...options, signal: limit.signal})
    if (node === undefined) throw error
    return await answer(tools, {...options, node, signal: limit.signal})
  } finally {
    limit.end()
  }
}

async function answer(tools: RunTools, options: RunOptions): Promise<Answer> {
  const cluster = await tools.cluster()
  const keepAlive = cluster.defaults?.keepAliveSeconds
  const body = {
    ...(keepAlive === undefined ? {} : {keep_alive: keepAlive}),
    ...options.body,
    model: resolveAlias(cluster, options.body.model),
  }
  let told = {response: '', thinking: '', shown: 0}
  const ask = async (to: Asked) => {
    told = {response: '', thinking: '', shown: 0}
    options.restart?.()
    const call = {signal: to.signal, connectTimeoutMs: CONNECT_MS}
    const chunks = isChat(body)
      ? await chat(to.endpoint, body, call)
      : await generate(to.endpoint, body, call)
    let last: AnswerChunk | undefined
    for await (const chunk of chunks) {
      to.alive()
      told.response += chunk.text
      told.thinking += chunk.thinking
      if (await options.show(chunk)) told.shown++
      last = chunk
    }
    return {value: {...told, last}, sample: last?.stats ?? {}}
  }
  const order: Order<typeof told & {last: AnswerChunk | undefined}> = {
    request: {...balanceRequestOf(body), ...(options.cached ? {cached: options.cached} : {})},
    node: options.node,
    policy: options.policy,
    signal: options.signal,
    ask,
    shown: () => (told.shown > 0 ? amount(told) : undefined),
    ...(options.note ? {note: options.note} : {}),
  }
  const {value, node, attempts} = await dispatch({...tools, cluster: async () => cluster}, order)
  return {
    model: body.model,
    node,
    response: value.response,
    thinking: value.thinking,
    doneReason: value.last?.doneReason ?? '',
    stats: value.last?.stats ?? {},
    attempts,
  }
}

const CONNECT_MS = 5000
/** Good enough to compare nodes with: a token of English text is about four characters. */
const CHARACTERS_PER_TOKEN = 4

const isChat = (body: GenerateRequest | ChatRequest): body is ChatRequest => 'messages' in body

const amount = ({response, shown}: {response: string; shown: number}) =>
  `${response.length} characters in ${shown} ${shown === 1 ? 'piece' : 'pieces'}`

/** What of such a body bears on the choice of a node. */
export function balanceRequestOf(body: GenerateRequest | ChatRequest): Order<unknown>['request'] {
  const characters = isChat(body)
    ? body.messages.reduce((sum, message) => sum + message.content.length, 0)
    : `${body.system ?? ''}${body.prompt ?? ''}`.length
  const {num_ctx: numCtx, num_predict: most} = body.options ?? {}
  return {
    model: body.model,
    promptTokens: Math.ceil(characters / CHARACTERS_PER_TOKEN),
    ...(typeof numCtx === 'number' ? {numCtx} : {}),
    ...(typeof most === 'number' ? {maxAnswerTokens: most} : {}),
  }
}
