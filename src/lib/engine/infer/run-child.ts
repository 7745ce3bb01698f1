import {messageOf} from '../../errors.ts'
import {generate} from './generate.ts'
import type {
  GrammarState,
  Jinja,
  Llama,
  LlamaLibrary,
  LlamaModel,
  Sequence,
  Token,
} from './llama-library.ts'
import type {Event, Format, Order, Prompt} from './messages.ts'
import {renderPrompt} from './render-prompt.ts'
import {translateSchema} from './translate-schema.ts'

interface Loaded {
  readonly library: LlamaLibrary
  readonly jinja: Jinja
  readonly llama: Llama
  readonly model: LlamaModel
  readonly sequence: Sequence | undefined
  readonly embedder: Awaited<ReturnType<LlamaModel['createEmbeddingContext']>> | undefined
  readonly numCtx: number
}

/**
 * The inference process: takes orders from the process that forked it until that one is gone. A
 * model file that llama.cpp cannot stand aborts this process and no other.
 */
export async function runInferenceChild(): Promise<void> {
  if (!process.send) throw new Error('the inference process is started by the engine, not by hand')
  let loaded: Loaded | undefined
  let cancelled = false
  let busy = Promise.resolve()
  const take = async (order: Exclude<Order, {kind: 'cancel'}>) => {
    try {
      if (order.kind === 'load') {
        loaded = await load(order)
        await send({kind: 'ready', numCtx: loaded.numCtx, memoryBytes: process.memoryUsage().rss})
      } else if (!loaded) throw new Error('no model is loaded')
      else if (order.kind === 'generate') await answer(loaded, order, () => cancelled)
      else await embed(loaded, order)
    } catch (error) {
      const caller = error instanceof CallerError
      await send({kind: 'failed', message: messageOf(error), caller})
    }
  }
  const gone = new Promise<void>((resolve) => process.once('disconnect', resolve))
  process.on('message', (order: Order) => {
    if (order.kind === 'cancel') cancelled = true
    else
      busy = busy.then(() => {
        cancelled = false
        return take(order)
      })
  })
  // A signal to the whole group (Ctrl-C) is for the supervisor, which ends this process in order.
  process.on('SIGINT', () => {})
  await gone
  process.exit(0)
}

/** What the caller asked for cannot be done, whatever the engine. */
class CallerError extends Error {}

/** Resolves once the message is on its way: a supervisor that does not read slows us down. */
function send(event: Event): Promise<void> {
  return new Promise((resolve) => {
    // A closed channel means that the supervisor is gone, and 'disconnect' ends this process.
    if (!process.send || !process.connected) return resolve()
    process.send(event, undefined, {}, () => resolve())
  })
}

async function load(order: Extract<Order, {kind: 'load'}>): Promise<Loaded> {
  const {loadLibrary} = await import('./llama-library.ts')
  const {llama: library, jinja} = await loadLibrary(order.library)
  const llama = await library.getLlama({
    build: 'never',
    gpu: false,
    logLevel: 'error',
    maxThreads: order.threads,
    progressLogs: false,
  })
  const model = await llama.loadModel({modelPath: order.modelPath, gpuLayers: 0})
  const contextSize = Math.max(4, Math.min(order.numCtx, model.trainContextSize))
  const {threads} = order
  if (order.embedding) {
    const embedder = await model.createEmbeddingContext({contextSize, threads})
    return {library, jinja, llama, model, sequence: undefined, embedder, numCtx: contextSize}
  }
  const context = await model.createContext({contextSize, sequences: 1, threads})
  const sequence = context.getSequence()
  return {library, jinja, llama, model, sequence, embedder: undefined, numCtx: context.contextSize}
}

async function answer(
  loaded: Loaded,
  order: Extract<Order, {kind: 'generate'}>,
  cancelled: () => boolean,
): Promise<void> {
  const {model, sequence} = loaded
  if (!sequence) throw new CallerError('this model makes embeddings, not text')
  const stats = await generate({
    model,
    sequence,
    prompt: tokensOf(loaded, order.prompt),
    sampling: order.sampling,
    grammar: order.format === undefined ? undefined : await grammarFor(loaded, order.format),
    cancelled,
    onText: (text) => send({kind: 'text', text}),
  })
  await send({kind: 'done', stats})
}

function tokensOf(loaded: Loaded, prompt: Prompt): Token[] {
  const {model} = loaded
  const text = prompt.kind === 'raw' ? prompt.text : template(loaded, prompt.messages)
  const tokens = [...(prompt.context ?? []), ...model.tokenize(text, true)]
  const {bos, shouldPrependBosToken} = model.tokens
  const needsBos = bos !== null && (shouldPrependBosToken || tokens.length === 0)
  if (needsBos && tokens[0] !== bos) tokens.unshift(bos)
  if (tokens.length === 0) throw new CallerError('the prompt is empty')
  return tokens
}

function template(loaded: Loaded, messages: Extract<Prompt, {kind: 'chat'}>['messages']): string {
  const {tokens, fileInfo} = loaded.model
  const source = {
    template: fileInfo.metadata.tokenizer?.chat_template,
    bos: tokens.bosString ?? '',
    eos: tokens.eosString ?? '',
  }
  try {
    return renderPrompt(loaded.jinja, source, messages)
  } catch (error) {
    // Templates refuse roles and orders that their model does not know.
    throw new CallerError(`the model's chat template refuses these messages: ${messageOf(error)}`)
  }
}

async function grammarFor(loaded: Loaded, format: Format): Promise<GrammarState> {
  const {library, llama, model} = loaded
  try {
    const grammar =
      format === 'json'
        ? await library.LlamaGrammar.getFor(llama, 'json')
        : await llama.createGrammarForJsonSchema(translateSchema(format))
    return new library.LlamaGrammarEvaluationState({model, grammar})
  } catch (error) {
    throw new CallerError(`the JSON schema cannot be used: ${messageOf(error)}`)
  }
}

async function embed(loaded: Loaded, order: Extract<Order, {kind: 'embed'}>): Promise<void> {
  const {embedder, model, numCtx} = loaded
  if (!embedder) throw new CallerError('this model does not make embeddings')
  const started = performance.now()
  const vectors: number[][] = []
  let count = 0
  for (const input of order.inputs) {
    let tokens = model.tokenize(input, false)
    // Two places are left for the tokens that the library puts at both ends.
    if (tokens.length > numCtx - 3) {
      if (!order.truncate) throw new CallerError('the input length exceeds the context length')
      tokens = tokens.slice(0, numCtx - 3)
    }
    count += tokens.length
    vectors.push(unit((await embedder.getEmbeddingFor(tokens)).vector))
  }
  await send({kind: 'vectors', vectors, tokens: count, ms: performance.now() - started})
}

/** Ollama's embeddings have length 1. */
function unit(vector: readonly number[]): number[] {
  const length = Math.hypot(...vector)
  return length === 0 ? [...vector] : vector.map((value) => value / length)
}
