import {roundSize} from '../cluster/size.ts'
import type {ClusterAction} from './cluster-plan.ts'

/** What an action does, without the reason: `copy llama3.2:3b from gpu-1 (2.0GiB)`. The node is not in it. */
export function describeAction(action: ClusterAction): string {
  switch (action.kind) {
    case 'setup':
      return action.steps.join(', ')
    case 'pull':
      return `pull ${action.model}`
    case 'copy':
      return `copy ${action.model} from ${action.from[0]}${size(action.bytes)}`
    case 'warm':
      return `load ${action.model} and keep it in memory${action.context === undefined ? '' : ` with a context of ${action.context}`}`
    case 'remove':
      return `remove ${action.model}${size(action.bytes)}`
  }
}

/** Why it is to be done. */
export function reasonOf(action: ClusterAction): string {
  if (action.kind !== 'setup') return action.why
  return action.changes
    .map(
      ({key, wanted, actual}) =>
        `${key} is ${actual ?? 'not set'}, wanted ${wanted ?? 'not at all'}`,
    )
    .join('; ')
}

const size = (bytes: number | 'unknown') => (bytes === 'unknown' ? '' : ` (${roundSize(bytes)})`)
