/** A model of a stand-in node; what is left out is derived from the name, so that two nodes agree on it. */
export interface FakeModel {
  /** With or without tag: `tiny` is `tiny:latest`. */
  readonly name: string
  /** 64 hex digits of the manifest. */
  readonly digest?: string
  /** Identity of the weights: models with the same blob share one runner. Default: the name. */
  readonly blob?: string
  readonly sizeBytes?: number
  readonly capabilities?: readonly string[]
  /** What tags tell of them where that is wrong, as Ollama 0.33 has it of some embedding models; null: nothing, as 0.24. */
  readonly listedCapabilities?: readonly string[] | null
  readonly family?: string
  readonly parameterSize?: string
  readonly quantization?: string
  /** Train context in tokens. */
  readonly contextLength?: number
  readonly loadMs?: number
}

/** Where a fault strikes: every request, or inference alone while tags, ps and version answer. */
export type FaultScope = 'all' | 'inference'

/** One thing that goes wrong. `times`: how many requests it strikes; without it, all until it is taken back. */
export type Fault = {readonly on?: FaultScope; readonly times?: number} & (
  | {readonly kind: 'refuse'}
  /** The connection is reset before a header. */
  | {readonly kind: 'reset'}
  /** A status with Ollama's own body for it, or with `error` as the message. */
  | {readonly kind: 'status'; readonly status: number; readonly error?: string}
  /** Accepted, never answered. */
  | {readonly kind: 'hang'}
  | {readonly kind: 'slow-headers'; readonly ms: number}
  /**
   * After so many tokens: RST, a close without the last chunk, the same with half of a line before it, a clean end without
   * `done:true`, or Ollama's error line.
   */
  | {
      readonly kind: 'cut'
      readonly afterTokens: number
      readonly how: 'rst' | 'fin' | 'torn' | 'clean' | 'error-line'
    }
  /** After so many tokens nothing more comes, and the connection stays open. */
  | {readonly kind: 'stall'; readonly afterTokens: number}
  /** After so many tokens a line that is no JSON; then it goes on. */
  | {readonly kind: 'garbage'; readonly afterTokens: number}
)

/** Everything that can be scripted, also while the node runs. Times are real time. */
export interface Settings {
  readonly version: string
  readonly models: readonly (string | FakeModel)[]
  /** What `/api/pull` finds; any other name fails as an unknown model does. */
  readonly pullable: readonly (string | FakeModel)[]
  /** Time that one pull takes, ms. */
  readonly pullMs: number
  /** OLLAMA_NUM_PARALLEL. */
  readonly slots: number
  /** OLLAMA_MAX_QUEUE: bounds only what waits for a load. */
  readonly maxQueue: number
  /** OLLAMA_MAX_LOADED_MODELS. */
  readonly maxLoaded: number
  /** OLLAMA_KEEP_ALIVE, ms; negative = for ever. */
  readonly keepAliveMs: number
  /** Context of a request that names none. */
  readonly numCtx: number
  readonly loadMs: number
  /** Tokens per second and stream; 0 = at once. */
  readonly prefillTokensPerS: number
  readonly decodeTokensPerS: number
  /** Added to the prompt's evaluation. */
  readonly firstTokenDelayMs: number
  /** Tokens of an answer that nothing cuts. */
  readonly answerTokens: number
  /** Said instead of words drawn by seed. */
  readonly answer?: string
  /** Called once by a model that can use tools, if the request brings tools. */
  readonly toolCall?: {readonly name: string; readonly arguments: Readonly<Record<string, unknown>>}
  /** Prompts are remembered per runner, and a known beginning costs no evaluation. */
  readonly prefixCache: boolean
  /** 0...1 of a loaded model that lies in GPU memory. */
  readonly gpuShare: number
  /** 401 for a request that lacks one of these. */
  readonly requireHeaders: Readonly<Record<string, string>>
  readonly fault: Fault | null
}

export interface FakeOptions extends Partial<Settings> {
  /** Default 127.0.0.1. */
  readonly host?: string
  /** Default 0: any free one. */
  readonly port?: number
  /** PEM texts; makes it an https node. */
  readonly tls?: {readonly key: string; readonly cert: string}
}

const DEFAULTS: Settings = {
  version: '0.33.0',
  models: ['tiny'],
  pullable: [],
  pullMs: 0,
  slots: 1,
  maxQueue: 512,
  maxLoaded: 3,
  keepAliveMs: 300_000,
  numCtx: 4096,
  loadMs: 0,
  prefillTokensPerS: 0,
  decodeTokensPerS: 0,
  firstTokenDelayMs: 0,
  answerTokens: 16,
  prefixCache: false,
  gpuShare: 0,
  requireHeaders: {},
  fault: null,
}

/** The settings among the options, with defaults for the rest. */
export function settingsOf(options: FakeOptions): Settings {
  const {host: _host, port: _port, tls: _tls, ...settings} = options
  return {...DEFAULTS, ...settings}
}
