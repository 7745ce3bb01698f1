import {actionsOf, type ClusterAction, type ClusterPlan} from './cluster-plan.ts'

/** One thing that is not as it is wanted. */
export interface Difference {
  /** `-`: of the cluster as a whole. */
  readonly node: string
  /** `version`, `service`, `env.NAME`, `model NAME`, `memory NAME` or `replicas NAME`. */
  readonly key: string
  /** `-`: it is not wanted. */
  readonly wanted: string
  /** `-`: it is not there. */
  readonly actual: string
}

const NONE = '-'

/** What a plan is about to change, and what it cannot, key by key. */
export function differencesOf(plan: Pick<ClusterPlan, 'waves' | 'unmet'>): Difference[] {
  const actions = actionsOf(plan)
  const changed = new Set(actions.flatMap(({kind, node}) => (kind === 'setup' ? [node] : [])))
  return [
    // What is loaded anew because Ollama is started anew is as it should be until then.
    ...actions.filter(({kind, node}) => kind !== 'warm' || !changed.has(node)).flatMap(ofAction),
    ...plan.unmet.map(({model, wanted, placed}) => ({
      ...{node: NONE, key: `replicas ${model}`},
      ...{wanted: String(wanted), actual: String(placed)},
    })),
  ]
}

function ofAction(action: ClusterAction): Difference[] {
  const {node} = action
  switch (action.kind) {
    case 'setup':
      return action.changes.length > 0
        ? action.changes.map(({key, wanted = NONE, actual = NONE}) => ({node, key, wanted, actual}))
        : [{node, key: 'service', wanted: 'as its files say', actual: action.steps.join(', ')}]
    case 'pull':
    case 'copy':
      return [{node, key: `model ${action.model}`, wanted: 'there', actual: NONE}]
    case 'warm': {
      const wanted = action.context === undefined ? 'loaded' : `loaded, context ${action.context}`
      return [{node, key: `memory ${action.model}`, wanted, actual: action.why}]
    }
    case 'remove':
      return [{node, key: `model ${action.model}`, wanted: NONE, actual: 'there'}]
  }
}
