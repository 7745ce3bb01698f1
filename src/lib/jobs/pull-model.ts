import {join} from 'node:path'
import {isOfficial, modelKey, parseModelName, shortModelName} from '../cluster/model-name.ts'
import type {NodeSpec, SshNode} from '../cluster/node.ts'
import type {Reporter} from '../cluster/report.ts'
import {selectNodes} from '../cluster/select.ts'
import {messageOf, OllamaxError} from '../errors.ts'
import {notAName} from '../models/manifest.ts'
import {storeSource} from '../models/store-blobs.ts'
import {withLock} from '../state/lock.ts'
import {openSource} from './copy-model.ts'
import {eachOf} from './each-of.ts'
import {memoryOf} from './memory-of.ts'
import {failureOf, type NodeFailure} from './node-failure.ts'
import {openNodeStore} from './node-store.ts'
import {observe} from './observe.ts'
import {pullOnNode} from './pull-on-node.ts'
import {spreadModel} from './spread-model.ts'
import {type SudoPassword, sudoPasswordOf} from './sudo-password.ts'
import type {Tools} from './tools.ts'

export interface PullModelOptions {
  readonly model: string
  /** Names of the nodes that are to have it. */
  readonly to: readonly string[]
  /** Let them take a registry without a certificate. */
  readonly insecure?: boolean
  /** Address of a registry, as the nodes reach it, that is asked instead of the model's own: a gateway's, say. */
  readonly registry?: string | undefined
  /** Bring it also to nodes where it can never run. */
  readonly force?: boolean | undefined
  readonly report: Reporter
  readonly signal?: AbortSignal
}

/** How a node got it. */
export interface PulledNode {
  readonly node: string
  /** `pulled`: from the registry; `copied`: from another node; `had-it`: nothing was to be done. */
  readonly outcome: 'pulled' | 'copied' | 'had-it' | 'failed'
  /** The node that it was copied from. */
  readonly from?: string
  readonly error?: NodeFailure
}

export interface PulledModel {
  readonly model: string
  readonly nodes: readonly PulledNode[]
}

export type PullTools = Pick<
  Tools,
  'cluster' | 'clusterName' | 'dial' | 'endpoint' | 'signal' | 'ask' | 'env' | 'paths'
>

/** Whoever pulls the same model in another process is waited for. */
const OTHER_PULL_MS = 24 * 3_600_000
const AT_ONCE = 16

/**
 * Brings a model to the named nodes: one pulls it from the registry, the others get it from that one over SSH. A node by
 * URL pulls by itself. Where the registry cannot be had but a node of the cluster has the model, that one is the source.
 * Rows tell how it went; throws if no node could get it at all.
 */
export async function pullModel(tools: PullTools, options: PullModelOptions): Promise<PulledModel> {
  checkNames(options)
  const {nodes} = await tools.cluster()
  const to = selectNodes(nodes, {names: options.to, labels: []})
  const signal = options.signal ?? tools.signal
  const model = shortModelName(options.model)
  const key = modelKey(model).replaceAll(/[^a-z0-9.:_-]/g, '_')
  const lock = join(tools.paths.run, 'pulls', `${tools.clusterName()}-${key}`)
  const call = {...options, model, signal, sudoPassword: sudoPasswordOf(tools, undefined)}
  // Two at once would pull it twice: the second one waits, and finds it there.
  return withLock(lock, () => pullOnce(tools, to, call), {
    signal,
    timeoutMs: OTHER_PULL_MS,
    why: `pulling ${model}`,
  })
}

function checkNames({model, registry}: PullModelOptions): void {
  const name = parseModelName(model)
  if (!name) throw notAName(model)
  if (registry === undefined) return
  const url = URL.canParse(registry) ? new URL(registry) : undefined
  if (!/^https?:$/.test(url?.protocol ?? '') || url?.pathname !== '/' || url.username || url.search)
    throw new OllamaxError('BAD_INPUT', `"${registry}" is no address of a registry`, {
      suggestions: ['give it as the nodes reach it, like http://gateway.lan:11435'],
    })
  if (!isOfficial(name))
    throw new OllamaxError('BAD_INPUT', `${model} names a registry of its own`, {
      suggestions: ['leave --registry out'],
    })
}

interface Call extends PullModelOptions {
  readonly signal: AbortSignal
  readonly sudoPassword: SudoPassword
}

async function pullOnce(
  tools: PullTools,
  to: readonly NodeSpec[],
  call: Call,
): Promise<PulledModel> {
  const overSsh = to.filter((node) => node.kind === 'ssh')
  const others = to.filter((node) => node.kind !== 'ssh')
  const [bySpread, byThemselves] = await Promise.all([
    overSsh.length > 0 ? viaOne(tools, overSsh, call) : [],
    eachOf(others, AT_ONCE, (node) => byItself(tools, node, call)),
  ])
  const rows = [...bySpread, ...byThemselves]
  const order = to.map((node) => node.name)
  return {
    model: call.model,
    nodes: rows.sort((a, b) => order.indexOf(a.node) - order.indexOf(b.node)),
  }
}

async function byItself(tools: PullTools, node: NodeSpec, call: Call): Promise<PulledNode> {
  const {report, signal, insecure = false} = call
  try {
    await pullOnNode(tools, node, {...call, insecure, freeBytes: undefined})
    report({kind: 'end', subject: node.name, ok: true, text: 'pulled'})
    return {node: node.name, outcome: 'pulled'}
  } catch (error) {
    signal.throwIfAborted()
    report({kind: 'end', subject: node.name, ok: false, text: messageOf(error)})
    return {node: node.name, outcome: 'failed', error: failureOf(error)}
  }
}

/** One of them pulls, the rest copy from it. The one that has it already asks the registry only for what is new. */
async function viaOne(
  tools: PullTools,
  nodes: readonly SshNode[],
  call: Call,
): Promise<PulledNode[]> {
  const having = await namesOfHolders(tools, call.model)
  const puller = nodes.find(({name}) => having.includes(name)) ?? nodes[0]
  if (!puller) return []
  const had = having.includes(puller.name)
  try {
    await pullHere(tools, puller, call)
    const rest = nodes.filter((node) => node !== puller)
    return [
      {node: puller.name, outcome: had ? 'had-it' : 'pulled'},
      ...(await copies(tools, puller, rest, call)),
    ]
  } catch (error) {
    call.signal.throwIfAborted()
    if (OllamaxError.is(error, 'NO_SPACE')) throw error
    const from = had ? puller : await otherHolder(tools, having)
    if (!from) throw error
    const {report} = call
    report({
      kind: 'warn',
      subject: puller.name,
      text: `the registry did not give it (${messageOf(error)}); ${from.name} has it and is the source`,
    })
    const rest = nodes.filter((node) => node.name !== from.name)
    const rows = await copies(tools, from, rest, call)
    return had ? [{node: from.name, outcome: 'had-it'}, ...rows] : rows
  }
}

async function pullHere(tools: PullTools, node: SshNode, call: Call): Promise<void> {
  const {signal, sudoPassword, insecure = false} = call
  const [store, memory] = await Promise.all([
    openNodeStore(tools, node, {access: 'read', sudoPassword, signal}),
    memoryOf(tools, node),
  ])
  await pullOnNode(tools, node, {...call, insecure, memory, freeBytes: store.look.freeBytes})
}

async function copies(
  tools: PullTools,
  from: SshNode,
  to: readonly SshNode[],
  call: Call,
): Promise<PulledNode[]> {
  const {report} = call
  const settled = () => report({kind: 'end', subject: from.name, ok: true, text: 'has it'})
  if (to.length === 0) {
    settled()
    return []
  }
  const {store, manifest} = await openSource(tools, from, call)
  settled()
  const rows = await spreadModel(tools, {
    ...call,
    manifest,
    source: storeSource(store),
    origin: store,
    to,
  })
  return rows.map(({node, outcome, error}) => ({
    node,
    outcome,
    ...(outcome === 'copied' ? {from: from.name} : {}),
    ...(error ? {error} : {}),
  }))
}

async function namesOfHolders(tools: PullTools, model: string): Promise<string[]> {
  const {nodes} = await tools.cluster()
  const readings = await observe(tools, nodes, {timeoutMs: 10_000})
  const key = modelKey(model)
  return readings.flatMap((reading) =>
    reading.kind === 'up' && reading.models.some(({name}) => modelKey(name) === key)
      ? [reading.node]
      : [],
  )
}

async function otherHolder(
  tools: PullTools,
  having: readonly string[],
): Promise<SshNode | undefined> {
  const {nodes} = await tools.cluster()
  return nodes.find((node): node is SshNode => node.kind === 'ssh' && having.includes(node.name))
}
