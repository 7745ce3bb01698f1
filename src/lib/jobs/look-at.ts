import type {Reading} from '../cluster/reading.ts'
import {type Selection, selectNodes} from '../cluster/select.ts'
import {observe} from './observe.ts'
import type {Tools} from './tools.ts'

/** Longest wait for one node where neither a flag nor the cluster file says. */
const READING_MS = 3000

/** Reads the selected nodes now, all at once, and remembers what it saw. Errors as `selectNodes`. */
export async function lookAt(
  tools: Pick<Tools, 'cluster' | 'endpoint' | 'signal' | 'paths' | 'clusterName'>,
  selection: Selection,
  wantedMs?: number,
): Promise<Reading[]> {
  const {nodes, defaults} = await tools.cluster()
  const timeoutMs = wantedMs ?? defaults?.readTimeoutMs ?? READING_MS
  return observe(tools, selectNodes(nodes, selection), {timeoutMs})
}
