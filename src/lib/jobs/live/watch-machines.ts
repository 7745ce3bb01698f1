import {PassThrough} from 'node:stream'
import {StringDecoder} from 'node:string_decoder'
import {setTimeout as sleep} from 'node:timers/promises'
import type {MachineReading} from '../../cluster/live.ts'
import type {Cluster, EmbeddedNode, SshNode} from '../../cluster/node.ts'
import {Turns} from '../../cluster/turns.ts'
import {effectiveOllama} from '../../desired/effective.ts'
import {OllamaxError} from '../../errors.ts'
import type {Tools} from '../tools.ts'
import {MachineParser} from './machine-parser.ts'
import {MACHINE} from './machine-script.ts'
import {readOwnMachine, type Ticks} from './own-machine.ts'

export interface MachineWatchOptions {
  readonly signal: AbortSignal
  /** Undefined: it tells nothing any more. */
  readonly onReading: (node: string, reading: MachineReading | undefined) => void
  /** Between two readings, s. */
  readonly everyS?: number
}

const EVERY_S = 3
/** Machines that are logged in to at once. */
const DIALS = 8
/** One that could not be asked is asked again after so long, each time twice as long. */
const AGAIN_MS = {first: 5000, most: 120_000}
const DAY_MS = 86_400_000

/** Asks the machines of a cluster how they are: those behind SSH by one long command each, the embedded node's by Node. */
export class MachineWatch {
  readonly #tools: Pick<Tools, 'dial' | 'paths'>
  readonly #options: MachineWatchOptions
  readonly #dials = new Turns(DIALS)
  readonly #stops = new Map<string, {readonly stop: AbortController; readonly wanted: string}>()
  readonly #loops = new Set<Promise<void>>()

  constructor(tools: Pick<Tools, 'dial' | 'paths'>, options: MachineWatchOptions) {
    this.#tools = tools
    this.#options = options
  }

  /** The nodes that there are from now on. */
  set(cluster: Pick<Cluster, 'nodes' | 'groups'>): void {
    const wanted = new Map(
      cluster.nodes.flatMap((node) => {
        if (node.kind === 'direct') return []
        const dir = effectiveOllama(cluster, node).env?.OLLAMA_MODELS ?? ''
        return [[node.name, {node, dir, key: JSON.stringify([reachOf(node), dir])}]]
      }),
    )
    for (const [name, {stop, wanted: key}] of this.#stops) {
      if (wanted.get(name)?.key === key) continue
      stop.abort()
      this.#stops.delete(name)
      this.#options.onReading(name, undefined)
    }
    for (const [name, {node, dir, key}] of wanted) {
      if (this.#stops.has(name)) continue
      const stop = new AbortController()
      this.#stops.set(name, {stop, wanted: key})
      const signal = AbortSignal.any([this.#options.signal, stop.signal])
      const loop = node.kind === 'ssh' ? this.#far(node, dir, signal) : this.#near(node, signal)
      this.#loops.add(loop)
      void loop.finally(() => this.#loops.delete(loop))
    }
  }

  async close(): Promise<void> {
    for (const {stop} of this.#stops.values()) stop.abort()
    await Promise.all(this.#loops)
  }

  /** Until the signal aborts, or it is clear that the account may run nothing there. */
  async #far(node: SshNode, dir: string, signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted; failures++) {
      try {
        if (await this.#listen(node, dir, signal)) failures = 0
      } catch (error) {
        if (OllamaxError.is(error, 'SSH_NO_SHELL')) return
      }
      if (signal.aborted) return
      this.#options.onReading(node.name, undefined)
      const againMs = Math.min(AGAIN_MS.most, AGAIN_MS.first * 2 ** failures)
      await sleep(againMs, undefined, {signal}).catch(() => {})
    }
  }

  /** True: it had something to tell. */
  async #listen(node: SshNode, dir: string, signal: AbortSignal): Promise<boolean> {
    const parser = new MachineParser()
    const decoder = new StringDecoder('utf8')
    const stdin = new PassThrough()
    const {everyS = EVERY_S, onReading} = this.#options
    let told = false
    const leave = await this.#dials.enter(signal)
    try {
      const remote = await this.#tools.dial(node)
      signal.throwIfAborted()
      await remote.exec(MACHINE, {
        ...{reads: true, signal, stdin, timeoutMs: DAY_MS, maxBytes: 4096},
        args: [dir, node.install ?? '', String(everyS)],
        onStdout: (chunk) => {
          leave()
          for (const reading of parser.push(decoder.write(chunk), Date.now())) {
            told = true
            if (!signal.aborted) onReading(node.name, reading)
          }
        },
      })
      return told
    } catch (error) {
      if (told) return true
      throw error
    } finally {
      leave()
      stdin.end()
    }
  }

  async #near(node: EmbeddedNode, signal: AbortSignal): Promise<void> {
    const {everyS = EVERY_S, onReading} = this.#options
    let ticks: Ticks | undefined
    while (!signal.aborted) {
      const now = await readOwnMachine(this.#tools.paths.data, ticks)
      ticks = now.ticks
      if (signal.aborted) return
      onReading(node.name, now.reading)
      await sleep(everyS * 1000, undefined, {signal}).catch(() => {})
    }
  }
}

/** What has to be logged in to anew when it is another. */
function reachOf(node: SshNode | EmbeddedNode): unknown {
  return node.kind === 'ssh' ? [node.ssh, node.hostKey, node.install] : node.kind
}
