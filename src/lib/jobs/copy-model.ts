import {shortModelName} from '../cluster/model-name.ts'
import type {NodeSpec} from '../cluster/node.ts'
import type {Reporter} from '../cluster/report.ts'
import {oneNode} from '../cluster/select.ts'
import {OllamaxError} from '../errors.ts'
import {blobsOf, type Manifest, manifestPath, parseManifest, sizeOf} from '../models/manifest.ts'
import type {Store} from '../models/store.ts'
import {storeSource} from '../models/store-blobs.ts'
import {openNodeStore} from './node-store.ts'
import {type SpreadNode, spreadModel} from './spread-model.ts'
import {sudoPasswordOf} from './sudo-password.ts'
import type {Tools} from './tools.ts'

export interface CopyModelOptions {
  readonly model: string
  /** Name of the node that has it. */
  readonly from: string
  /** Names of the nodes that are to have it. */
  readonly to: readonly string[]
  /** Send everything through this process, also where the nodes reach each other. */
  readonly relay?: boolean
  /** Bring it also to nodes where it can never run. */
  readonly force?: boolean | undefined
  readonly report: Reporter
  readonly signal?: AbortSignal
}

/** A model that was brought to nodes. */
export interface CopiedModel {
  readonly model: string
  readonly digest: string
  /** Of all its files. */
  readonly sizeBytes: number
  readonly from: string
  readonly nodes: readonly SpreadNode[]
}

export type CopyTools = Pick<Tools, 'cluster' | 'dial' | 'endpoint' | 'signal' | 'ask' | 'env'>

/**
 * Copies a model from one node to others, file by file over SSH; see `spreadModel`. Rows tell how it went for each;
 * throws where nothing can be copied: NODE_NOT_FOUND, BAD_INPUT, MODEL_NOT_FOUND, MODEL_DAMAGED, and what SSH says.
 */
export async function copyModel(tools: CopyTools, options: CopyModelOptions): Promise<CopiedModel> {
  const {nodes} = await tools.cluster()
  const signal = options.signal ?? tools.signal
  const from = oneNode(nodes, options.from)
  const to = targetsOf(nodes, options)
  const model = shortModelName(options.model)
  const sudoPassword = sudoPasswordOf(tools, undefined)
  const {store, manifest} = await openSource(tools, from, {model, sudoPassword, signal})
  const source = storeSource(store)
  const {report, relay, force} = options
  const origin = relay ? undefined : store
  const call = {model, manifest, source, origin, to, sudoPassword, force, report, signal}
  const rows = await spreadModel(tools, call)
  const sizeBytes = sizeOf(manifest)
  return {model, digest: manifest.digest, sizeBytes, from: from.name, nodes: rows}
}

function targetsOf(nodes: readonly NodeSpec[], {from, to}: CopyModelOptions): NodeSpec[] {
  const names = [...new Set(to)]
  if (names.length === 0)
    throw new OllamaxError('BAD_INPUT', 'no node is named to copy to', {
      suggestions: ['name them: --to gpu-2,gpu-3'],
    })
  if (names.includes(from))
    throw new OllamaxError('BAD_INPUT', `${from} is named as the source and as a target`, {
      suggestions: ['leave it out of --to'],
    })
  return names.map((name) => oneNode(nodes, name))
}

/** The store of a node that has the model, whole. MODEL_NOT_FOUND, MODEL_DAMAGED. */
export async function openSource(
  tools: Pick<Tools, 'dial' | 'cluster'>,
  node: NodeSpec,
  options: {
    readonly model: string
    readonly sudoPassword: (target: string) => Promise<string>
    readonly signal: AbortSignal
  },
): Promise<{readonly store: Store; readonly manifest: Manifest}> {
  const {model, sudoPassword, signal} = options
  const path = manifestPath(model)
  const access = 'read'
  const store = await openNodeStore(tools, node, {access, manifests: [path], sudoPassword, signal})
  const bytes = store.look.manifests.get(path)
  if (!bytes)
    throw new OllamaxError('MODEL_NOT_FOUND', `${node.name} does not have ${model}`, {
      suggestions: ['see who has it: ollamax model list'],
      details: {node: node.name, model, dir: store.look.dir},
    })
  const manifest = parseManifest(bytes, `${model} on ${node.name}`)
  const broken = blobsOf(manifest).filter(
    ({digest, sizeBytes}) => store.look.blobs.get(digest)?.sizeBytes !== sizeBytes,
  )
  if (broken.length > 0)
    throw new OllamaxError(
      'MODEL_DAMAGED',
      `${node.name} has ${model} only in part: ${broken.length} of its files are missing or cut off`,
      {
        suggestions: ['take another node as the source, or pull it anew there'],
        details: {node: node.name, model, digests: broken.map(({digest}) => digest)},
      },
    )
  return {store, manifest}
}
