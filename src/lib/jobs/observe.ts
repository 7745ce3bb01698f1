import type {NodeSpec} from '../cluster/node.ts'
import type {Reading} from '../cluster/reading.ts'
import {OllamaxError} from '../errors.ts'
import {downReading, readNode} from '../ollama/read-node.ts'
import {keepReadings} from '../state/readings.ts'
import {waitAtMost} from './deadline.ts'
import type {Tools} from './tools.ts'

export interface ObserveOptions {
  /** For each node as a whole, connecting included. */
  readonly timeoutMs: number
  /** Called as each node has answered or failed, in that order. */
  readonly onReading?: (reading: Reading) => void
}

/**
 * Reads all given nodes at the same time; takes no longer than `timeoutMs`. One reading per node, in
 * the order given; whatever goes wrong with a node is its `down` reading. Remembers what it saw.
 * Throws only when the command is aborted.
 */
export async function observe(
  tools: Pick<Tools, 'endpoint' | 'signal' | 'paths' | 'clusterName'>,
  nodes: readonly NodeSpec[],
  options: ObserveOptions,
): Promise<Reading[]> {
  const readings = await Promise.all(
    nodes.map(async (node) => {
      const reading = await observeOne(tools, node, options.timeoutMs)
      options.onReading?.(reading)
      return reading
    }),
  )
  keepReadings(tools.paths, tools.clusterName(), readings)
  return readings
}

async function observeOne(
  {endpoint, signal}: Pick<Tools, 'endpoint' | 'signal'>,
  node: NodeSpec,
  timeoutMs: number,
): Promise<Reading> {
  const late = new OllamaxError('TIMEOUT', `no answer within ${Math.round(timeoutMs)} ms`)
  const work = async () => readNode(await endpoint(node), node.name, {signal, timeoutMs})
  try {
    return await waitAtMost(work, {timeoutMs, late, signal})
  } catch (error) {
    signal.throwIfAborted()
    return downReading(node.name, error)
  }
}
