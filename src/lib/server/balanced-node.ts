import type {BalancedNode} from '../balancer/dispatch-request.ts'
import type {NodeSpec} from '../cluster/node.ts'

/** What of a node's entry bears on balancing: its labels `tier` and `weight`, and OLLAMA_NUM_PARALLEL. */
export function balancedNode({name, drained, labels, ollama}: NodeSpec): BalancedNode {
  const slots = wholeNumber(ollama.env?.OLLAMA_NUM_PARALLEL)
  const weight = Number(labels.weight)
  const tier = wholeNumber(labels.tier)
  return {
    name,
    drained,
    labels,
    ...(slots === undefined || slots < 1 ? {} : {slots}),
    ...(weight > 0 && Number.isFinite(weight) ? {weight} : {}),
    ...(tier === undefined ? {} : {tier}),
  }
}

function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,6}$/.test(text) ? Number(text) : undefined
}
