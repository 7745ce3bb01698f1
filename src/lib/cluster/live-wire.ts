import type {LiveFrame} from './live.ts'

/** A node that was read anew and found as it was before. */
export interface SeenNode {
  readonly name: string
  readonly readAtMs: number
  readonly latencyMs?: number
}

/** A frame as the gateway writes it: most nodes are most of the time as they were, so that is told in short. */
export interface LiveWireFrame extends LiveFrame {
  readonly seen?: readonly SeenNode[]
}
