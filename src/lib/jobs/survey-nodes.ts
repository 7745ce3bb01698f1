import type {NodeSpec} from '../cluster/node.ts'
import type {Reading} from '../cluster/reading.ts'
import {OllamaxError} from '../errors.ts'
import {downReading, readNode} from '../ollama/read-node.ts'
import type {Tools} from './tools.ts'

/** Readings of several nodes that come in while one waits for just enough of them. */
export interface Survey {
  /** What has come so far, by node. */
  readonly readings: ReadonlyMap<string, Reading>
  /**
   * Waits until a usable reading is there and the other nodes had a fair chance, or until all have
   * answered or failed. A node that is silent costs at most that chance.
   */
  enough(usable: (reading: Reading) => boolean): Promise<void>
  /** Ends the readings that are still under way. */
  close(): void
}

export interface SurveyOptions {
  readonly signal: AbortSignal
  /** For one node's reading, connection included. */
  readonly timeoutMs: number
  /** Nodes that nobody waits for once another one can be used: they were silent a short while ago. */
  readonly suspects: ReadonlySet<string>
}

/** The others get as long again as the first one took, but at least and at most this. */
const GRACE_MS = {least: 50, most: 500}

/** Reads all nodes at once, without version. */
export function surveyNodes(
  tools: Pick<Tools, 'endpoint'>,
  nodes: readonly NodeSpec[],
  options: SurveyOptions,
): Survey {
  const startedMs = performance.now()
  const stop = new AbortController()
  const readings = new Map<string, Reading>()
  const pending = new Set(nodes.map((node) => node.name))
  let changed = Promise.withResolvers<void>()
  const passOn = () => stop.abort(options.signal.reason)
  options.signal.addEventListener('abort', passOn, {once: true})
  for (const node of nodes) {
    void readOne(tools, node, {...options, signal: stop.signal}).then((reading) => {
      if (stop.signal.aborted) return
      readings.set(node.name, reading)
      pending.delete(node.name)
      changed.resolve()
      changed = Promise.withResolvers<void>()
    })
  }
  const awaited = () => [...pending].some((name) => !options.suspects.has(name))
  return {
    readings,
    async enough(usable) {
      let graceEndsMs: number | undefined
      while (pending.size > 0) {
        options.signal.throwIfAborted()
        if ([...readings.values()].some(usable)) {
          const now = performance.now()
          graceEndsMs ??= now + grace(now - startedMs)
          if (now >= graceEndsMs || !awaited()) return
          await within(changed.promise, graceEndsMs - now, options.signal)
        } else await within(changed.promise, undefined, options.signal)
      }
      options.signal.throwIfAborted()
    },
    close() {
      options.signal.removeEventListener('abort', passOn)
      stop.abort()
    },
  }
}

const grace = (tookMs: number) => Math.min(GRACE_MS.most, Math.max(GRACE_MS.least, tookMs))

/** Never rejects. */
async function readOne(
  tools: Pick<Tools, 'endpoint'>,
  node: NodeSpec,
  {signal, timeoutMs}: SurveyOptions,
): Promise<Reading> {
  const startedMs = performance.now()
  const late = new OllamaxError('TIMEOUT', `no connection within ${timeoutMs} ms`)
  let timer: NodeJS.Timeout | undefined
  try {
    const endpoint = await Promise.race([
      tools.endpoint(node),
      new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(late), timeoutMs)
        signal.addEventListener('abort', () => reject(signal.reason), {once: true})
      }),
    ])
    const leftMs = Math.max(1, timeoutMs - (performance.now() - startedMs))
    return await readNode(endpoint, node.name, {signal, timeoutMs: leftMs, version: false})
  } catch (error) {
    return downReading(node.name, error)
  } finally {
    clearTimeout(timer)
  }
}

/** Resolves when the promise or the time is done, or the signal aborts. */
function within(
  promise: Promise<void>,
  ms: number | undefined,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve) => {
    const timer = ms === undefined ? undefined : setTimeout(done, ms)
    signal.addEventListener('abort', done, {once: true})
    void promise.then(done)
    function done() {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
  })
}
