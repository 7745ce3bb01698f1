import type {NodeSpec} from '../cluster/node.ts'
import type {Reading} from '../cluster/reading.ts'
import {OllamaxError} from '../errors.ts'
import {downReading, readNode} from '../ollama/read-node.ts'
import {keepReadings} from '../state/readings.ts'
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
  let timer: NodeJS.Timeout | undefined
  let interrupt: (() => void) | undefined
  // A dial may have a longer deadline of its own, and other uses in this process: we only stop waiting.
  const enough = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late), timeoutMs)
    interrupt = () => reject(signal.reason)
    signal.addEventListener('abort', interrupt, {once: true})
  })
  try {
    signal.throwIfAborted()
    const work = async () => readNode(await endpoint(node), node.name, {signal, timeoutMs})
    return await Promise.race([work(), enough])
  } catch (error) {
    signal.throwIfAborted()
    return downReading(node.name, error)
  } finally {
    clearTimeout(timer)
    if (interrupt) signal.removeEventListener('abort', interrupt)
  }
}
