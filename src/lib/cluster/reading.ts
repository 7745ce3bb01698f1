/** A model that a node has on disk, as `/api/tags` tells. */
export interface ModelTag {
  /** Full name with tag, for example `llama3.2:latest`. */
  readonly name: string
  readonly digest: string
  readonly sizeBytes: number
  readonly modifiedAt: string
  readonly family?: string
  readonly parameterSize?: string
  readonly quantization?: string
  /** Train context in tokens; absent on Ollama before 0.30. */
  readonly contextLength?: number
  /** `completion`, `embedding`, `vision`, `tools`, `thinking`...; absent on Ollama before 0.30. */
  readonly capabilities?: readonly string[]
}

/** A model that sits in a node's memory, as `/api/ps` tells (under the name that loaded it). */
export interface LoadedModel {
  readonly name: string
  readonly digest: string
  readonly sizeBytes: number
  /** Bytes of it in GPU memory; 0 = the CPU does the work. */
  readonly vramBytes: number
  /** Context per slot, in tokens, that it was loaded with; unknown on old versions. */
  readonly contextLength?: number
  /** ISO time at which it is unloaded if nobody asks. */
  readonly expiresAt: string
}

/** What one probe of one node found. */
export type Reading =
  | {
      readonly kind: 'up'
      readonly node: string
      /** Wall time of the probe, ms since the epoch. */
      readonly atMs: number
      readonly latencyMs: number
      readonly version?: string
      readonly models: readonly ModelTag[]
      /** How long before this probe the models were asked for; absent: in it. */
      readonly modelsAgeMs?: number
      readonly loaded: readonly LoadedModel[]
    }
  | {
      readonly kind: 'down'
      readonly node: string
      readonly atMs: number
      /** A code of the error catalogue. */
      readonly code: string
      readonly message: string
    }
