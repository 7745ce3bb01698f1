import type {LiveFrame, LiveNode} from './live.ts'

/** A node that was read anew and found as it was before. */
export interface SeenNode {
  readonly name: string
  readonly readAtMs: number
  readonly latencyMs?: number
}

/** A node that has become another, but has the same on disk as it was told to have: of all of a node that is the most. */
export type ChangedNode = Omit<LiveNode, 'models'>

/** A frame as the gateway writes it: most nodes are most of the time as they were, so that is told in short. */
export interface LiveWireFrame extends LiveFrame {
  readonly changed?: readonly ChangedNode[]
  readonly seen?: readonly SeenNode[]
}
