import {createRequire} from 'node:module'
import {join} from 'node:path'
import {pathToFileURL} from 'node:url'

export type Token = number

/** What we use of node-llama-cpp. It is installed at run time, so its own types are not at hand. */
export interface LlamaLibrary {
  getLlama(options: {
    build: 'never'
    gpu: false
    logLevel: 'error'
    maxThreads: number
    progressLogs: false
  }): Promise<Llama>
  readonly LlamaGrammar: {getFor(llama: Llama, type: 'json'): Promise<Grammar>}
  readonly LlamaGrammarEvaluationState: new (options: {
    model: LlamaModel
    grammar: Grammar
  }) => GrammarState
}
export interface Grammar {
  readonly grammar: string
}
export type GrammarState = object
export interface Llama {
  loadModel(options: {modelPath: string; gpuLayers: 0}): Promise<LlamaModel>
  createGrammarForJsonSchema(schema: unknown): Promise<Grammar>
}
export interface LlamaModel {
  readonly trainContextSize: number
  readonly tokens: {
    readonly bos: Token | null
    readonly bosString: string | null
    readonly eosString: string | null
    readonly shouldPrependBosToken: boolean
  }
  readonly fileInfo: {readonly metadata: {readonly tokenizer?: {readonly chat_template?: string}}}
  tokenize(text: string, specialTokens: boolean): Token[]
  detokenize(tokens: readonly Token[], specialTokens: boolean, last?: readonly Token[]): string
  createContext(options: {contextSize: number; sequences: 1; threads: number}): Promise<{
    readonly contextSize: number
    getSequence(): Sequence
  }>
  createEmbeddingContext(options: {contextSize: number; threads: number}): Promise<{
    getEmbeddingFor(input: Token[]): Promise<{readonly vector: readonly number[]}>
  }>
}
export interface Sequence {
  readonly nextTokenIndex: number
  readonly contextSize: number
  clearHistory(): Promise<void>
  adaptStateToTokens(tokens: Token[], allowShift: boolean): Promise<void>
  evaluateWithoutGeneratingNewTokens(tokens: Token[]): Promise<void>
  evaluate(tokens: Token[], options: EvaluateOptions): AsyncGenerator<Token, void, undefined>
}
export interface EvaluateOptions {
  temperature: number
  topK: number
  topP: number
  minP: number
  seed?: number
  grammarEvaluationState?: GrammarState
  repeatPenalty?: {
    punishTokens: () => Token[]
    penalty: number
    frequencyPenalty: number
    presencePenalty: number
    maxPunishTokens: number
  }
}
/** The template engine that comes with the library. */
export interface Jinja {
  readonly Template: new (source: string) => {render(values: Record<string, unknown>): string}
}

/**
 * Loads the library out of `directory`. The binary that was installed is used or nothing: it must
 * neither compile llama.cpp (minutes) nor fetch anything.
 */
export async function loadLibrary(directory: string): Promise<{llama: LlamaLibrary; jinja: Jinja}> {
  process.env.NODE_LLAMA_CPP_SKIP_DOWNLOAD = 'true'
  const require = createRequire(join(directory, 'package.json'))
  // By URL and a real import(): the library is an ES module with top-level await inside.
  const at = (path: string) => pathToFileURL(path).href
  return {
    llama: (await import(
      at(join(directory, 'node_modules/node-llama-cpp/dist/index.js'))
    )) as LlamaLibrary,
    jinja: require('@huggingface/jinja') as Jinja,
  }
}
