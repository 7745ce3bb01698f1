import type {Reading} from '../cluster/reading.ts'
import {type Selection, selectNodes} from '../cluster/select.ts'
import {observe} from './observe.ts'
import type {Tools} from './tools.ts'

/** Reads the selected nodes now, all at once, and remembers what it saw. Errors as `selectNodes`. */
export async function lookAt(
  tools: Pick<Tools, 'cluster' | 'endpoint' | 'signal' | 'paths' | 'clusterName'>,
  selection: Selection,
  timeoutMs: number,
): Promise<Reading[]> {
  const {nodes} = await tools.cluster()
  return observe(tools, selectNodes(nodes, selection), {timeoutMs})
}
