import type {Cluster, NodeSpec, SshNode} from '../../cluster/node.ts'
import type {Reporter} from '../../cluster/report.ts'
import {oneNode} from '../../cluster/select.ts'
import type {ClusterAction} from '../../desired/cluster-plan.ts'
import {effectiveOllama} from '../../desired/effective.ts'
import {CATALOGUE, type Code, OllamaxError} from '../../errors.ts'
import {keepInMemory} from '../../ollama/client.ts'
import {type Artifact, inspectArtifact} from '../../provision/artifact.ts'
import {copyModel} from '../copy-model.ts'
import type {NodeFailure} from '../node-failure.ts'
import {provisionHost} from '../provision-host.ts'
import {pullModel} from '../pull-model.ts'
import {removeModel} from '../remove-model.ts'
import {rollNodes} from '../roll-nodes.ts'
import {overSsh} from '../ssh-node.ts'
import {sudoPasswordOf} from '../sudo-password.ts'
import type {Tools} from '../tools.ts'
import {wantedHost} from '../wanted-host.ts'

export type WorkTools = Pick<
  Tools,
  | 'cluster'
  | 'clusterName'
  | 'editCluster'
  | 'dial'
  | 'endpoint'
  | 'signal'
  | 'ask'
  | 'env'
  | 'paths'
>

type Of<K extends ClusterAction['kind']> = Extract<ClusterAction, {kind: K}>

/** How each kind of action is done. All but `copy` throw what went wrong. */
export interface FleetWork {
  setup(action: Of<'setup'>): Promise<void>
  pull(action: Of<'pull'>): Promise<void>
  /** One model to several nodes at once; an entry for each that failed. */
  copy(actions: readonly Of<'copy'>[]): Promise<ReadonlyMap<string, NodeFailure>>
  warm(action: Of<'warm'>): Promise<void>
  remove(action: Of<'remove'>): Promise<void>
}

export interface WorkOptions {
  readonly cluster: Cluster
  /** Path of an archive for hosts that lack the version they should have; absent: from the release site. */
  readonly artifact?: string | undefined
  /** False: the cluster file cannot be written, so nodes are changed without being drained in it. */
  readonly rolls: boolean
  /** For those who find a node locked. */
  readonly reason: string
  /** Longest wait for the requests that run on a node that is to be changed. */
  readonly drainMs: number
  readonly report: Reporter
}

/** A large model is read from a slow disk for minutes. */
const LOAD = {connectTimeoutMs: 10_000, headersTimeoutMs: 1_800_000, idleTimeoutMs: 60_000}
/** A node with fewer tokens per second than this part of before is bad, as `node upgrade` has it. */
const MIN_PACE = 0.8

/** The real work, by the jobs of the commands that do the same by hand. To be done under the deploy lock. */
export function makeFleetWork(tools: WorkTools, options: WorkOptions): FleetWork {
  const {report} = options
  const {signal} = tools
  const cluster = withEffective(options.cluster)
  const nodeOf = ({node}: ClusterAction): NodeSpec => oneNode(cluster.nodes, node)
  return {
    async setup(action) {
      const node = overSsh(nodeOf(action), 'change its Ollama')
      // One that serves nobody, or that is someone else's still, is not rolled but set up.
      const serves = !action.changes.some(({key}) => key === 'service')
      if (options.rolls && serves && action.takesOver === undefined)
        await roll(tools, {node, action, options})
      else await setUp(tools, {node, action, options})
    },
    async pull({model, node}) {
      const {nodes} = await pullModel(tools, {model, to: [node], report, signal})
      for (const {error} of nodes) if (error) throw asError(error)
    },
    async copy(actions) {
      const [first] = actions
      const failures = new Map<string, NodeFailure>()
      if (!first) return failures
      const {model} = first
      const to = actions.map(({node}) => node)
      const {nodes} = await fromFirst(first.from, (from) =>
        copyModel(tools, {model, from, to, report, signal}),
      )
      for (const {node, error} of nodes) if (error) failures.set(node, error)
      return failures
    },
    async warm(action) {
      const {model, context} = action
      const endpoint = await tools.endpoint(nodeOf(action))
      const options = context === undefined ? {} : {options: {num_ctx: context}}
      const request = {model, keepAlive: -1, ...options}
      await keepInMemory(endpoint, request, {...LOAD, signal})
    },
    async remove({model, node}) {
      const selection = {names: [node], labels: []}
      const {nodes} = await removeModel(tools, {model, selection, yes: true, report})
      for (const {error} of nodes) if (error) throw asError(error)
    },
  }
}

const withEffective = (cluster: Cluster): Cluster => ({
  ...cluster,
  nodes: cluster.nodes.map((node) => ({...node, ollama: effectiveOllama(cluster, node)})),
})

interface Change {
  readonly node: SshNode
  readonly action: Of<'setup'>
  readonly options: WorkOptions
}

/** An archive would be brought also where its version is there already. */
const artifactFor = ({steps}: Of<'setup'>, {artifact}: WorkOptions) =>
  steps.some((step) => step.startsWith('install Ollama')) ? artifact : undefined

/** Drained, changed, tried, and back again, or rolled back: no request fails. */
async function roll(tools: WorkTools, {node, action, options}: Change): Promise<void> {
  const {version, env = {}} = node.ollama
  const [row] = await rollNodes(tools, {
    targets: [{node, version, env}],
    waves: 1,
    artifact: artifactFor(action, options),
    drainMs: options.drainMs,
    minPace: MIN_PACE,
    pauseMs: 0,
    reason: options.reason,
    recordVersion: false,
    report: options.report,
  })
  if (row?.error) throw asError(row.error)
}

async function setUp(tools: WorkTools, {node, action, options}: Change): Promise<void> {
  const {name, ssh: target} = node
  const path = artifactFor(action, options)
  const {report} = options
  const artifact: Artifact | undefined =
    path === undefined ? undefined : await inspectArtifact(path, {signal: tools.signal})
  await provisionHost(tools, {
    ...{name, target, known: node, artifact, report},
    wanted: wantedHost(node),
    sudoPassword: sudoPasswordOf(tools, undefined),
    downloads: new Map(),
    dryRun: false,
    // What belongs to someone else was shown with the plan.
    yes: true,
  })
}

function asError({code, message, suggestions}: NodeFailure): Error {
  return code in CATALOGUE
    ? new OllamaxError(code as Code, message, {suggestions})
    : new Error(message)
}

/** Tries one source after the other, where it is the source that is at fault. */
async function fromFirst<T>(
  sources: readonly string[],
  work: (from: string) => Promise<T>,
): Promise<T> {
  for (const [at, from] of sources.entries()) {
    try {
      return await work(from)
    } catch (error) {
      if (
        at === sources.length - 1 ||
        !OllamaxError.is(error) ||
        OllamaxError.is(error, 'INTERRUPTED')
      )
        throw error
    }
  }
  throw new Error('a copy without a source')
}
