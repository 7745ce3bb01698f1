import type {Controlled} from '../jobs/control-node.ts'

/** One line for people: what state the node was seen in. */
export function describeControlled({node, state, version}: Controlled): string {
  return state === 'up'
    ? `${node} is up${version === undefined ? '' : `: Ollama ${version} answers`}`
    : `${node} is stopped`
}
