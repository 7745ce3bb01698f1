import type {AnswerStats} from '../cluster/answer-stats.ts'

/** Options of a model run, as Ollama's API names them; unknown ones are ignored by Ollama. */
export type RunOptions = Readonly<Record<string, unknown>>

/** `format` of a request: plain JSON, or a JSON schema that the answer must follow. */
export type AnswerFormat = 'json' | Readonly<Record<string, unknown>>

interface AnswerRequest {
  readonly model: string
  readonly options?: RunOptions
  readonly format?: AnswerFormat
  readonly think?: boolean | string
  readonly keep_alive?: string | number
  /** Anything else the API takes. */
  readonly [field: string]: unknown
}

/** Body of POST /api/generate. */
export interface GenerateRequest extends AnswerRequest {
  readonly prompt?: string
  readonly system?: string
  readonly suffix?: string
  readonly template?: string
  readonly raw?: boolean
  /** Base64, without a data URL's head. */
  readonly images?: readonly string[]
}

/** One message of a chat. */
export interface ChatMessage {
  readonly role: string
  readonly content: string
  readonly thinking?: string
  readonly images?: readonly string[]
}

/** Body of POST /api/chat. */
export interface ChatRequest extends AnswerRequest {
  readonly messages: readonly ChatMessage[]
}

/** Body of POST /api/embed. */
export interface EmbedRequest {
  readonly model: string
  readonly input: string | readonly string[]
  readonly options?: RunOptions
  readonly keep_alive?: string | number
  readonly truncate?: boolean
  readonly dimensions?: number
}

/** One line of a streamed answer, of generate and of chat alike. */
export interface AnswerChunk {
  readonly text: string
  readonly thinking: string
  readonly done: boolean
  /** `stop`, `length`, `load`, `unload`; with `done` only. */
  readonly doneReason?: string
  /** With `done` only. */
  readonly stats?: AnswerStats
  /** The line as it came. */
  readonly raw: Readonly<Record<string, unknown>>
}

/** Answer of /api/embed. */
export interface Embeddings {
  readonly embeddings: readonly (readonly number[])[]
  readonly stats: AnswerStats
}

/** The parts of /api/show that ollamax reads; `raw` holds all of it. */
export interface ModelShow {
  readonly capabilities: readonly string[]
  readonly template: string
  readonly parameters: string
  readonly modelfile: string
  readonly raw: Readonly<Record<string, unknown>>
}

/** One line of a pull's progress. */
export interface PullProgress {
  readonly status: string
  readonly digest?: string
  readonly total?: number
  readonly completed?: number
}
