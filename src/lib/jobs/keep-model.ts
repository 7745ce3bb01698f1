import type {Reporter} from '../cluster/report.ts'
import type {Selection} from '../cluster/select.ts'
import {roundSize} from '../cluster/size.ts'
import {OllamaxError} from '../errors.ts'
import {keepInMemory} from '../ollama/client.ts'
import {eachOf} from './each-of.ts'
import {memoryOf} from './memory-of.ts'
import {failureOf, type NodeFailure} from './node-failure.ts'
import {type Holder, holdersOf, notFound, type ReadingTools} from './nodes-with-model.ts'
import {refusePinned} from './refuse-pinned.ts'
import type {Tools} from './tools.ts'

export interface KeepModelOptions {
  readonly model: string
  /** Where; both empty: on all nodes that have it. */
  readonly selection: Selection
  readonly report: Reporter
}

export interface WarmModelOptions extends KeepModelOptions {
  /** As Ollama's `keep_alive`; absent: as the cluster file or the node says. -1: until it is unloaded. */
  readonly keepAlive?: string | number
  /** Load it also where memory looks too small. */
  readonly force?: boolean
}

/** How it went on one node. */
export interface KeptModelNode {
  readonly node: string
  readonly outcome: 'loaded' | 'was-loaded' | 'unloaded' | 'not-loaded' | 'failed'
  readonly ms: number
  readonly error?: NodeFailure
}

export interface KeptModel {
  readonly model: string
  readonly nodes: readonly KeptModelNode[]
}

type WarmTools = ReadingTools & Pick<Tools, 'dial'>

/** A large model is read from a slow disk for minutes. */
const LOAD = {connectTimeoutMs: 10_000, headersTimeoutMs: 30 * 60_000, idleTimeoutMs: 60_000}

/**
 * Loads a model into the memory of nodes that have it, so that the next answer begins at once. Memory is looked at
 * first (NO_SPACE) where it can be. MODEL_NOT_FOUND where none of the nodes has it.
 */
export async function warmModel(tools: WarmTools, options: WarmModelOptions): Promise<KeptModel> {
  const cluster = await tools.cluster()
  const keepAlive = options.keepAlive ?? cluster.defaults?.keepAliveSeconds
  return onHolders(tools, options, async (holder, signal) => {
    const {node, tag, loaded} = holder
    if (!loaded && !options.force) await checkMemory(tools, holder)
    const endpoint = await tools.endpoint(node)
    const request = {
      model: tag?.name ?? options.model,
      ...(keepAlive === undefined ? {} : {keepAlive}),
    }
    await keepInMemory(endpoint, request, {...LOAD, signal})
    return loaded ? 'was-loaded' : 'loaded'
  })
}

/** Frees the memory that a model takes on nodes; what it answers now is finished first. MODEL_PINNED. */
export async function unloadModel(
  tools: ReadingTools,
  options: KeepModelOptions,
): Promise<KeptModel> {
  refusePinned(await tools.cluster(), options.model, 'unloaded')
  return onHolders(tools, options, async ({node, tag, loaded}, signal) => {
    if (!loaded) return 'not-loaded'
    const endpoint = await tools.endpoint(node)
    const request = {model: tag?.name ?? options.model, keepAlive: 0}
    await keepInMemory(endpoint, request, {...LOAD, signal})
    return 'unloaded'
  })
}

async function onHolders(
  tools: ReadingTools,
  {model, selection, report}: KeepModelOptions,
  work: (holder: Holder, signal: AbortSignal) => Promise<KeptModelNode['outcome']>,
): Promise<KeptModel> {
  const {holders} = await holdersOf(tools, model, selection)
  const having = holders.filter((holder) => holder.tag)
  if (having.length === 0)
    throw notFound(
      model,
      holders.map(({node}) => node.name),
    )
  const nodes = await eachOf(having, having.length, async (holder): Promise<KeptModelNode> => {
    const subject = holder.node.name
    const beganMs = performance.now()
    const ms = () => Math.round(performance.now() - beganMs)
    report({kind: 'start', subject, step: model})
    try {
      const outcome = await work(holder, tools.signal)
      report({kind: 'end', subject, ok: true, text: outcome})
      return {node: subject, outcome, ms: ms()}
    } catch (error) {
      tools.signal.throwIfAborted()
      const failure = failureOf(error)
      report({kind: 'end', subject, ok: false, text: failure.message.split('\n')[0] ?? ''})
      return {node: subject, outcome: 'failed', ms: ms(), error: failure}
    }
  })
  return {model, nodes}
}

async function checkMemory(tools: WarmTools, {node, tag}: Holder): Promise<void> {
  const bytes = (await memoryOf(tools, node))?.freeBytes
  const needed = tag?.sizeBytes ?? 0
  if (bytes === undefined || needed <= bytes) return
  throw new OllamaxError(
    'NO_SPACE',
    `${node.name}: ${roundSize(needed)} of memory are needed at least, and ${roundSize(bytes)} are free`,
    {
      suggestions: [
        'unload another model there: ollamax model unload',
        'try it all the same: --force',
      ],
      details: {node: node.name, neededBytes: needed, freeBytes: bytes},
    },
  )
}
