import {setTimeout as pause} from 'node:timers/promises'
import type {NodeSpec} from '../../cluster/node.ts'
import type {Reading} from '../../cluster/reading.ts'
import type {Turns} from '../../cluster/turns.ts'
import {OllamaxError} from '../../errors.ts'
import {downReading, type Known, readWhole} from '../../ollama/read-node.ts'
import {openUpstream, type Upstream} from '../../ollama/upstream.ts'
import {waitAtMost} from '../deadline.ts'
import type {Tools} from '../tools.ts'

export interface ReadLoopOptions {
  readonly signal: AbortSignal
  /** Between two looks at a node that is up. */
  readonly everyMs: number
  /** What it has on disk is looked at so often, and when it has something in memory that was not on disk. */
  readonly catalogueMs: number
  /** Bounds how many nodes are connected to at once. */
  readonly dials: Turns
  readonly onReading: (reading: Reading) => void
}

/** For one look, connecting included. */
const LOOK_MS = 5000
/** A node that is down is asked again after so long, each time twice as long. */
const DOWN_MS = {first: 1000, most: 15_000}

/** Reads a node again and again until the signal aborts; never rejects. */
export async function readAgain(
  tools: Pick<Tools, 'endpoint'>,
  node: NodeSpec,
  options: ReadLoopOptions,
): Promise<void> {
  const {signal, dials, onReading} = options
  let upstream: Upstream | undefined
  let known: (Known & {readonly readMs: number}) | undefined
  let failures = 0
  try {
    while (!signal.aborted) {
      const connects = failures > 0 || !upstream
      const look = async (): Promise<Reading> => {
        upstream ??= await open(tools, node, signal)
        const ageMs = known ? performance.now() - known.readMs : 0
        const again = known && ageMs < options.catalogueMs ? {...known, ageMs} : undefined
        const timed = {signal, timeoutMs: LOOK_MS}
        const {reading} = await readWhole(upstream.endpoint, node.name, {
          ...timed,
          known: again,
        })
        if (reading.kind !== 'up') known = undefined
        // The entries as the node wrote them are not kept: of hundreds of nodes they are much, and nobody reads them here.
        else if (!again) known = {reading, tags: [], ageMs: 0, readMs: performance.now()}
        else if (
          reading.loaded.some((one) => !reading.models.some((tag) => tag.digest === one.digest))
        )
          known = undefined
        return reading
      }
      const reading = await (connects ? dials.run(look, signal) : look()).catch((error: unknown) =>
        downReading(node.name, error),
      )
      if (signal.aborted) break
      onReading(reading)
      failures = reading.kind === 'up' ? 0 : failures + 1
      if (failures > 0) {
        // The way to it may be another one: a holder that has ended, an engine on another port.
        void upstream?.close()
        upstream = undefined
      }
      await pause(pauseMs(failures, options.everyMs), undefined, {signal})
    }
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    await upstream?.close()
  }
}

function pauseMs(failures: number, everyMs: number): number {
  if (failures === 0) return everyMs
  const longest = Math.min(DOWN_MS.most, DOWN_MS.first * 2 ** (failures - 1))
  return longest * (0.7 + 0.3 * Math.random())
}

async function open(
  {endpoint}: Pick<Tools, 'endpoint'>,
  node: NodeSpec,
  signal: AbortSignal,
): Promise<Upstream> {
  const late = new OllamaxError('TIMEOUT', `no connection within ${LOOK_MS} ms`)
  const found = await waitAtMost(() => endpoint(node), {timeoutMs: LOOK_MS, late, signal})
  if (found.kind === 'upstream') throw new Error('an endpoint of a node is no upstream')
  return openUpstream(found)
}
