// What the engine's supervisor and its inference child say to each other, as JSON over fork's channel.

/** How the next token is chosen; absent values are Ollama's defaults. */
export interface Sampling {
  readonly temperature: number
  readonly topK: number
  readonly topP: number
  readonly minP: number
  readonly repeatPenalty: number
  /** Tokens that a repetition is looked for in; negative: the whole context, 0: none. */
  readonly repeatLastN: number
  readonly frequencyPenalty: number
  readonly presencePenalty: number
  /** Absent: another one each time. */
  readonly seed?: number
  /** Negative: until the context is full. */
  readonly numPredict: number
  readonly stop: readonly string[]
}

export interface ChatMessage {
  readonly role: string
  readonly content: string
}

export type Prompt =
  /** Goes through the model's chat template, behind the tokens of `context`. */
  | {
      readonly kind: 'chat'
      readonly messages: readonly ChatMessage[]
      readonly context?: readonly number[]
    }
  /** Goes to the model as it is. */
  | {readonly kind: 'raw'; readonly text: string; readonly context?: readonly number[]}

/** `json`: any JSON object; otherwise a JSON schema. */
export type Format = 'json' | Readonly<Record<string, unknown>>

/** From the supervisor. One order at a time; `cancel` ends the one that runs, early but properly. */
export type Order =
  | {
      readonly kind: 'load'
      /** Directory that holds the library's node_modules. */
      readonly library: string
      readonly modelPath: string
      readonly numCtx: number
      readonly threads: number
      readonly embedding: boolean
    }
  | {
      readonly kind: 'generate'
      readonly prompt: Prompt
      readonly sampling: Sampling
      readonly format?: Format
    }
  | {readonly kind: 'embed'; readonly inputs: readonly string[]; readonly truncate: boolean}
  | {readonly kind: 'cancel'}

/** Counts and times of one generation; durations in milliseconds. */
export interface Stats {
  readonly reason: 'stop' | 'length'
  readonly promptTokens: number
  readonly promptMs: number
  readonly tokens: number
  readonly tokensMs: number
  /** The whole conversation as token ids, to be sent back as `context`. */
  readonly context: readonly number[]
}

/** From the child. */
export type Event =
  | {readonly kind: 'ready'; readonly numCtx: number; readonly memoryBytes: number}
  | {readonly kind: 'text'; readonly text: string}
  | {readonly kind: 'done'; readonly stats: Stats}
  | {
      readonly kind: 'vectors'
      readonly vectors: readonly (readonly number[])[]
      readonly tokens: number
      readonly ms: number
    }
  /** The order failed; `caller`: because of what was asked, not because of the engine. */
  | {readonly kind: 'failed'; readonly message: string; readonly caller: boolean}
