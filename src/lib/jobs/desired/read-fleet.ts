import type {Cluster, NodeSpec, SshNode} from '../../cluster/node.ts'
import type {Reading} from '../../cluster/reading.ts'
import {effectiveOllama, hiddenVersion} from '../../desired/effective.ts'
import type {Bytes, NodeState} from '../../desired/fleet-state.ts'
import {messageOf} from '../../errors.ts'
import type {Facts} from '../../provision/facts.ts'
import {probe} from '../../provision/probe.ts'
import {abortable} from '../../ssh/deadline.ts'
import {withDeadline} from '../deadline.ts'
import {eachOf} from '../each-of.ts'
import {observe} from '../observe.ts'
import {interruptedNodes} from '../roll/interrupted-nodes.ts'
import type {Tools} from '../tools.ts'
import {notOurs, setupOf} from './host-setup.ts'

export type FleetTools = Pick<Tools, 'dial' | 'endpoint' | 'signal' | 'paths' | 'clusterName'>

export interface ReadFleetOptions {
  /** For each node as a whole, connecting included. */
  readonly timeoutMs: number
  /** Nodes at the same time. */
  readonly concurrency: number
}

/** How the nodes of a cluster are, beside what cannot be seen in their states. */
export interface SeenFleet {
  readonly states: readonly NodeState[]
  readonly notes: readonly string[]
}

interface Seen {
  readonly state: NodeState
  readonly notes: readonly string[]
}

/**
 * Looks at every node: its models, what is in memory, and over SSH its disk, memory and service. A node that cannot be
 * looked at within the time is silent. Throws only when aborted.
 */
export async function readFleet(
  tools: FleetTools,
  cluster: Cluster,
  options: ReadFleetOptions,
): Promise<SeenFleet> {
  const broken = await interruptedNodes(tools)
  const seen = await eachOf(cluster.nodes, options.concurrency, (node) =>
    readOne(tools, {cluster, node, options}),
  )
  const hidden = cluster.nodes.flatMap((node) => hiddenVersion(cluster, node) ?? [])
  return {
    states: seen.map(({state}, at) =>
      cluster.nodes[at]?.drained && broken.get(state.name)?.drainedByUs
        ? {...state, interrupted: true}
        : state,
    ),
    notes: [...hidden, ...seen.flatMap(({notes}) => notes)],
  }
}

interface One {
  readonly cluster: Cluster
  readonly node: NodeSpec
  readonly options: ReadFleetOptions
}

async function readOne(tools: FleetTools, {cluster, node, options}: One): Promise<Seen> {
  const ollama = effectiveOllama(cluster, node)
  if (node.kind === 'ssh') return readHost(tools, {node, ollama, options})
  const found = await observed(tools, node, options)
  if (found.kind === 'down') return silent(node, hostOf(node), found.message)
  return {
    state: {
      ...unknownRoom(node, hostOf(node)),
      models: found.models,
      loaded: found.loaded,
      ...(node.kind === 'embedded' ? {closed: 'is the embedded node'} : {}),
    },
    notes: notOurs(node, ollama, found.version),
  }
}

interface Host {
  readonly node: SshNode
  readonly ollama: ReturnType<typeof effectiveOllama>
  readonly options: ReadFleetOptions
}

async function readHost(tools: FleetTools, {node, ollama, options}: Host): Promise<Seen> {
  const limit = withDeadline([tools.signal], options.timeoutMs)
  const {signal} = limit
  try {
    const remote = await abortable(signal, tools.dial(node))
    // Through the connection that stands now.
    const [facts, found] = await Promise.all([
      probe(remote, {port: ollama.port, signal}),
      observed(tools, node, options),
    ])
    const {setup, notes} = setupOf(node, ollama, facts)
    const host = node.hostKey ?? remote.hostKey
    return {
      state: {
        ...unknownRoom(node, host),
        models: found.kind === 'up' ? found.models : 'unknown',
        loaded: found.kind === 'up' ? found.loaded : [],
        ...roomOf(facts, node, ollama.env ?? {}),
        ...(setup ? {setup} : {}),
      },
      notes,
    }
  } catch (error) {
    tools.signal.throwIfAborted()
    return silent(node, hostOf(node), messageOf(error))
  } finally {
    limit.end()
  }
}

async function observed(
  tools: FleetTools,
  node: NodeSpec,
  {timeoutMs}: ReadFleetOptions,
): Promise<Reading> {
  const [reading] = await observe(tools, [node], {timeoutMs})
  if (reading) return reading
  throw new Error('a node without a reading')
}

/** Which machine it is, as far as the file tells. */
function hostOf(node: NodeSpec): string {
  if (node.kind === 'ssh') return node.hostKey ?? node.ssh
  return node.kind === 'direct' ? new URL(node.url).hostname : 'this machine'
}

const unknownRoom = ({name}: NodeSpec, host: string) => ({
  name,
  host,
  freeBytes: 'unknown' as Bytes,
  memoryBytes: 'unknown' as Bytes,
  gpuBytes: 'unknown' as Bytes,
  maxLoaded: Number.POSITIVE_INFINITY,
})

function silent(node: NodeSpec, host: string, message: string): Seen {
  const [reason = ''] = message.split('\n')
  const state = {...unknownRoom(node, host), models: 'unknown' as const, loaded: []}
  return {state: {...state, silent: {reason, counts: false}}, notes: []}
}

/** Ollama's own default: so many models for each GPU, or for the CPU. */
const MODELS_PER_GPU = 3

function roomOf(facts: Facts, node: SshNode, env: Readonly<Record<string, string>>) {
  const gpus = facts.gpus === 'unknown' ? undefined : facts.gpus
  const working = gpus?.filter(
    ({driver, vendor}) => driver !== 'none' && driver !== 'failed' && vendor !== 'apple',
  )
  const gpuBytes =
    working === undefined ? 'unknown' : summed(working.map(({vramBytes}) => vramBytes))
  const {memoryBytes: ram} = facts
  const most = Number(env.OLLAMA_MAX_LOADED_MODELS ?? 0)
  return {
    freeBytes: freeOf(facts, node, env),
    // On a Mac both are the same memory.
    memoryBytes: ram === 'unknown' ? ram : ram + (gpuBytes === 'unknown' ? 0 : gpuBytes),
    gpuBytes,
    maxLoaded: most > 0 ? most : MODELS_PER_GPU * Math.max(1, working?.length ?? 1),
  }
}

function summed(all: readonly Bytes[]): Bytes {
  return all.reduce<Bytes>(
    (sum, one) => (sum === 'unknown' || one === 'unknown' ? 'unknown' : sum + one),
    0,
  )
}

/** Free where its Ollama keeps models; unknown where that is another place than the one that was looked at. */
function freeOf(facts: Facts, node: SshNode, env: Readonly<Record<string, string>>): Bytes {
  const {OLLAMA_MODELS: wanted} = env
  if (wanted !== undefined && wanted !== facts.modelsPath) return 'unknown'
  if (facts.ollama.containers.length > 0 && node.install === 'external') return 'unknown'
  return facts.places[node.install === 'user' ? 'own_models' : 'models']?.freeBytes ?? 'unknown'
}
