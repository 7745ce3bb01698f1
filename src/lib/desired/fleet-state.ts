import type {LoadedModel, ModelTag} from '../cluster/reading.ts'

/** A quantity in bytes; one that is unknown is never taken for enough. */
export type Bytes = number | 'unknown'

/** A setting that is not as it is wanted; undefined: it is not there, or not wanted. */
export interface KeyChange {
  /** `version`, `service`, or `env.NAME`. */
  readonly key: string
  readonly wanted: string | undefined
  readonly actual: string | undefined
}

/** What would have to be done on a host for Ollama there to be as it is wanted. */
export interface Setup {
  /** In words, in order; none: it is so. */
  readonly steps: readonly string[]
  readonly changes: readonly KeyChange[]
  /** Files of ours that would be written: as they are (empty: not there) and as they should be. */
  readonly texts: ReadonlyArray<{
    readonly path: string
    readonly actual: string
    readonly wanted: string
  }>
  /** Why it cannot become so; none: it can. */
  readonly problems: readonly string[]
  /** The service of someone else that would be changed and restarted, in words. */
  readonly takesOver?: string
}

/** How one node is, as far as it was seen. */
export interface NodeState {
  readonly name: string
  /** Nodes of the same host are one machine, and share its disk and memory. */
  readonly host: string
  /**
   * It could not be read, and is left alone. `counts`: what it had (with unknown models: whatever it may have)
   * counts still, since it may come back soon.
   */
  readonly silent?: {readonly reason: string; readonly counts: boolean}
  /** On disk; of a silent node, as last seen. `unknown`: its Ollama does not answer, or did never. */
  readonly models: readonly ModelTag[] | 'unknown'
  readonly loaded: readonly LoadedModel[]
  /** Where models lie. */
  readonly freeBytes: Bytes
  /** All that can hold models: main memory, and that of its GPUs. */
  readonly memoryBytes: Bytes
  /** That of its GPUs alone; 0: it has none. */
  readonly gpuBytes: Bytes
  /** How many models it holds in memory at most. */
  readonly maxLoaded: number
  /** A change that was broken off has left it drained, and nobody else wants it so. */
  readonly interrupted?: boolean
  /** Why no model can be put there, whatever is free; absent: it can. */
  readonly closed?: string
  /** Absent: what its Ollama is like is not ours to say. */
  readonly setup?: Setup
}
