import type {Bytes} from './fleet-state.ts'

/** A model on a node, as it is or should be. */
export interface Replica {
  readonly model: string
  readonly node: string
  /** It is there already. */
  readonly kept: boolean
  /** It is to be kept in memory, and can be. */
  readonly warm: boolean
  /** Why this node, in words. */
  readonly why: string
}

/** A wish that cannot be met as the fleet is. */
export interface Unmet {
  readonly model: string
  readonly wanted: number | 'all'
  /** How many can be had, those that are there among them. */
  readonly placed: number
  readonly needBytes: Bytes
  /** What keeps each other node from it. */
  readonly nodes: ReadonlyArray<{
    readonly node: string
    readonly text: string
    /** Of disk or memory. */
    readonly lacksBytes?: number
  }>
  /** All of it in one sentence. */
  readonly text: string
}

/** Where every wanted model is to lie. */
export interface Placement {
  readonly replicas: readonly Replica[]
  /** Replicas beyond what is wanted, or where the labels no longer allow them. */
  readonly surplus: ReadonlyArray<{readonly model: string; readonly node: string}>
  readonly unmet: readonly Unmet[]
}

/** `model@node` in one spelling, to tell a choice that was made before. */
export const replicaKey = (model: string, node: string) => `${model}@${node}`
