import {modelKey} from '../cluster/model-name.ts'
import type {NodeSpec} from '../cluster/node.ts'
import type {ModelTag, Reading} from '../cluster/reading.ts'
import {type Selection, selectNodes} from '../cluster/select.ts'
import {OllamaxError} from '../errors.ts'
import {observe} from './observe.ts'
import type {Tools} from './tools.ts'

/** What a job needs in order to ask nodes for their models. */
export type ReadingTools = Pick<Tools, 'cluster' | 'endpoint' | 'signal' | 'paths' | 'clusterName'>

/** A node and what it has under a model's name; `tag` is absent where it does not have it. */
export interface Holder {
  readonly node: NodeSpec
  readonly reading: Reading & {readonly kind: 'up'}
  readonly tag?: ModelTag
  /** It has that content in memory. */
  readonly loaded: boolean
}

/** For one node's reading; a job that changes models waits longer than a list. */
const READING_MS = 10_000

/**
 * Asks the selected nodes for a model. Those that do not answer are in `down`; where none does, NODE_UNREACHABLE.
 * Errors as `selectNodes`.
 */
export async function holdersOf(
  tools: ReadingTools,
  model: string,
  selection: Selection,
): Promise<{
  readonly holders: readonly Holder[]
  readonly down: readonly (Reading & {kind: 'down'})[]
}> {
  const {nodes} = await tools.cluster()
  const chosen = selectNodes(nodes, selection)
  const readings = await observe(tools, chosen, {timeoutMs: READING_MS})
  const down = readings.flatMap((reading) => (reading.kind === 'down' ? [reading] : []))
  if (chosen.length === 0)
    throw new OllamaxError('NODE_NOT_FOUND', 'the cluster has no nodes', {
      suggestions: ['add one: ollamax node add user@host'],
    })
  if (down.length === readings.length)
    throw new OllamaxError(
      'NODE_UNREACHABLE',
      `no node answers: ${down.map(({node, message}) => `${node}: ${message}`).join('; ')}`,
      {suggestions: ['ollamax doctor'], details: {nodes: down.map(({node}) => node)}},
    )
  const key = modelKey(model)
  const holders = readings.flatMap((reading, at): Holder[] => {
    const node = chosen[at]
    if (reading.kind === 'down' || !node) return []
    const tag = reading.models.find((one) => modelKey(one.name) === key)
    const loaded = tag !== undefined && reading.loaded.some(({digest}) => digest === tag.digest)
    return [{node, reading, loaded, ...(tag ? {tag} : {})}]
  })
  return {holders, down}
}

/** MODEL_NOT_FOUND where no node that answered has it. */
export function notFound(model: string, names: readonly string[]): OllamaxError {
  return new OllamaxError('MODEL_NOT_FOUND', `no node has ${model}`, {
    suggestions: ['see what the nodes have: ollamax model list', `ollamax model pull ${model}`],
    details: {model, nodes: names},
  })
}
