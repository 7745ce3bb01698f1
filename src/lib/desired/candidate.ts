import type {NodeSpec, WantedModel} from '../cluster/node.ts'
import type {Need} from './budget.ts'
import type {NodeState} from './fleet-state.ts'

/** A model that is wanted, with all that its placing needs. */
export interface Wish {
  readonly wanted: WantedModel
  /** Its place in the file. */
  readonly at: number
  readonly need: Need
  readonly candidates: readonly Candidate[]
  /** How many new replicas are to be placed. */
  readonly missing: number
}

/** A node that the labels allow. */
export interface Candidate {
  readonly spec: NodeSpec
  readonly state: NodeState
  readonly has: boolean
}
