import {modelKey} from '../../cluster/model-name.ts'
import type {Cluster, NodeSpec} from '../../cluster/node.ts'
import type {Reporter} from '../../cluster/report.ts'
import {oneNode} from '../../cluster/select.ts'
import type {ClusterAction} from '../../desired/cluster-plan.ts'
import {effectiveOllama} from '../../desired/effective.ts'
import {OllamaxError} from '../../errors.ts'
import {pull} from '../../ollama/client.ts'
import {readNode} from '../../ollama/read-node.ts'
import {expectOk, openRequest} from '../../ollama/request.ts'
import type {Artifact} from '../../provision/artifact.ts'
import {copyModel} from '../copy-model.ts'
import type {NodeFailure} from '../node-failure.ts'
import {provisionHost} from '../provision-host.ts'
import {overSsh} from '../ssh-node.ts'
import type {SudoPassword} from '../sudo-password.ts'
import type {Tools} from '../tools.ts'
import {wantedHost} from './host-setup.ts'

export type WorkTools = Pick<
  Tools,
  'cluster' | 'clusterName' | 'dial' | 'endpoint' | 'signal' | 'ask' | 'env' | 'paths'
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
  /** Archive for hosts that lack the version they should have; absent: from the release site. */
  readonly artifact?: Artifact | undefined
  readonly sudoPassword: SudoPassword
  readonly report: Reporter
}

const CALL = {connectTimeoutMs: 10_000, headersTimeoutMs: 60_000, idleTimeoutMs: 60_000}
/** A large model's checksum is reckoned in silence, and one is read from a slow disk for minutes. */
const LONG = {connectTimeoutMs: 30_000, headersTimeoutMs: 1_800_000, idleTimeoutMs: 600_000}

/** The real work, over SSH and the nodes' own API. */
export function makeFleetWork(tools: WorkTools, options: WorkOptions): FleetWork {
  const {cluster, artifact, sudoPassword, report} = options
  const {signal} = tools
  const downloads = new Map<string, Promise<Artifact>>()
  const nodeOf = ({node}: ClusterAction): NodeSpec => oneNode(cluster.nodes, node)
  const post = async (node: NodeSpec, path: string, body: object) => {
    const endpoint = await tools.endpoint(node)
    const request = {method: 'POST' as const, path, body: JSON.stringify(body), signal, ...LONG}
    const response = await openRequest(endpoint, request)
    await expectOk(response)
    for await (const _ of response.body);
  }
  const embeds = async (node: NodeSpec, model: string): Promise<boolean> => {
    const reading = await readNode(await tools.endpoint(node), node.name, {
      signal,
      timeoutMs: 10_000,
    })
    const models = reading.kind === 'up' ? reading.models : []
    const tag = models.find(({name}) => modelKey(name) === modelKey(model))
    return tag?.capabilities?.includes('completion') === false
  }
  return {
    async setup(action) {
      const node = overSsh(nodeOf(action), 'change its Ollama')
      const wanted = wantedHost(node, effectiveOllama(cluster, node))
      const {name, ssh: target} = node
      // An archive would be brought also where its version is there already.
      const lacks = action.steps.some((step) => step.startsWith('install Ollama'))
      await provisionHost(tools, {
        ...{name, target, known: node, wanted, sudoPassword, downloads, report},
        ...(lacks ? {artifact} : {}),
        dryRun: false,
        // What belongs to someone else was shown with the plan.
        yes: true,
      })
    },
    async pull({model, node: subject}) {
      const endpoint = await tools.endpoint(oneNode(cluster.nodes, subject))
      for await (const {total, completed} of pull(endpoint, {model}, {signal, ...LONG}))
        if (total !== undefined)
          report({kind: 'bytes', subject, step: `pull ${model}`, done: completed ?? 0, total})
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
      const node = nodeOf(action)
      const kept = {
        model,
        keep_alive: -1,
        ...(context === undefined ? {} : {options: {num_ctx: context}}),
      }
      if (await embeds(node, model)) await post(node, '/api/embed', {...kept, input: []})
      else await post(node, '/api/generate', {...kept, stream: false})
    },
    async remove(action) {
      const {model} = action
      const node = nodeOf(action)
      const endpoint = await tools.endpoint(node)
      const reading = await readNode(endpoint, node.name, {signal, timeoutMs: 10_000})
      const loaded = reading.kind === 'up' ? reading.loaded : []
      // Deleted while it is in memory, it would stay there until its time is up.
      if (loaded.some(({name}) => modelKey(name) === modelKey(model)))
        await post(node, '/api/generate', {model, keep_alive: 0, stream: false})
      const body = JSON.stringify({model})
      const request = {method: 'DELETE' as const, path: '/api/delete', body, signal, ...CALL}
      const response = await openRequest(endpoint, request)
      await expectOk(response)
      for await (const _ of response.body);
    },
  }
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
