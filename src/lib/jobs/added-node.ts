import type {NodeSpec} from '../cluster/node.ts'
import type {Reading} from '../cluster/reading.ts'

export interface PlannedStep {
  readonly title: string
  readonly root: boolean
}

/** What became of one target. */
export interface AddedNode {
  readonly target: string
  readonly name: string
  /** `planned`: with dryRun, steps would be taken; `unchanged`: all was as wanted. */
  readonly outcome: 'added' | 'changed' | 'unchanged' | 'planned' | 'failed'
  readonly kind: 'ssh' | 'direct' | 'embedded'
  readonly install?: 'system' | 'user' | 'external'
  readonly version?: string
  readonly steps: readonly PlannedStep[]
  readonly warnings: readonly string[]
  /** Of the first token, where a model is there: its name and the part of it in GPU memory. */
  readonly inference?: {readonly model: string; readonly gpuShare: number | 'unknown'}
  readonly ms: number
  readonly error?: {
    readonly code: string
    readonly message: string
    readonly suggestions: readonly string[]
  }
}

/** What is known of a node that works, before it is written down. */
export interface Found {
  readonly node: NodeSpec
  readonly dryRun: boolean
  /** How it was when all was done; absent where nothing was done (dryRun). */
  readonly reading?: Reading
  readonly row: Pick<AddedNode, 'steps' | 'warnings'> & Partial<AddedNode>
}

/** One line for people about what became of a target. */
export function describeRow(row: Omit<AddedNode, 'ms'>): string {
  if (row.error) return row.error.message.split('\n')[0] ?? ''
  const with_ = row.version === undefined ? '' : `, Ollama ${row.version}`
  if (row.outcome === 'unchanged') return `as wanted already, nothing was changed${with_}`
  if (row.outcome === 'planned') return `${row.steps.length} steps would be taken`
  const token = row.inference
    ? `, ${row.inference.model} answers${typeof row.inference.gpuShare === 'number' ? ` (GPU ${Math.round(row.inference.gpuShare * 100)} %)` : ''}`
    : ''
  return `${row.outcome}${with_}${token}`
}
