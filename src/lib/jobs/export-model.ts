import {existsSync} from 'node:fs'
import {shortModelName} from '../cluster/model-name.ts'
import type {SshNode} from '../cluster/node.ts'
import type {Reporter} from '../cluster/report.ts'
import {oneNode} from '../cluster/select.ts'
import {OllamaxError} from '../errors.ts'
import {writeBundle} from '../models/bundle.ts'
import {blobsOf, manifestPath} from '../models/manifest.ts'
import {storeSource} from '../models/store-blobs.ts'
import {openSource} from './copy-model.ts'
import {holdersOf, notFound, type ReadingTools} from './nodes-with-model.ts'
import {sudoPasswordOf} from './sudo-password.ts'
import type {Tools} from './tools.ts'

export interface ExportModelOptions {
  readonly model: string
  readonly file: string
  /** Name of the node that it is taken from; absent: one that has it. */
  readonly from?: string | undefined
  /** Replace a file that is there. */
  readonly force: boolean
  readonly report: Reporter
}

export interface ExportedModel {
  readonly model: string
  readonly digest: string
  readonly file: string
  readonly from: string
  readonly sizeBytes: number
}

export type ExportTools = ReadingTools & Pick<Tools, 'dial' | 'ask' | 'env'>

/** Writes a model of a node into one file, every digest checked. BAD_INPUT for a file that is there; see `openSource`. */
export async function exportModel(
  tools: ExportTools,
  options: ExportModelOptions,
): Promise<ExportedModel> {
  const {file, report} = options
  if (existsSync(file) && !options.force)
    throw new OllamaxError('BAD_INPUT', `${file} is there already`, {
      suggestions: ['choose another name, or replace it: --force'],
    })
  const {signal} = tools
  const model = shortModelName(options.model)
  const {nodes} = await tools.cluster()
  const node =
    options.from === undefined ? await anySource(tools, model) : oneNode(nodes, options.from)
  const sudoPassword = sudoPasswordOf(tools, undefined)
  const {store, manifest} = await openSource(tools, node, {model, sudoPassword, signal})
  const total = blobsOf(manifest).reduce((sum, {sizeBytes}) => sum + sizeBytes, 0)
  const step = `write ${file}`
  const beganMs = performance.now()
  let toldMs = 0
  await writeBundle(file, {
    path: manifestPath(model),
    manifest,
    source: storeSource(store),
    signal,
    onBytes(done) {
      const nowMs = performance.now()
      if (done < total && nowMs - toldMs < 100) return
      toldMs = nowMs
      report({kind: 'bytes', subject: node.name, step, done, total})
    },
  })
  report({kind: 'done', subject: node.name, step, ms: performance.now() - beganMs})
  return {model, digest: manifest.digest, file, from: node.name, sizeBytes: total}
}

/** A node over SSH that has it, of those that have what most have. */
async function anySource(tools: ReadingTools, model: string): Promise<SshNode> {
  const {holders} = await holdersOf(tools, model, {names: [], labels: []})
  const having = holders.filter(({tag}) => tag)
  const found = having.find(({node}) => node.kind === 'ssh')?.node
  if (found?.kind === 'ssh') return found
  if (having.length === 0)
    throw notFound(
      model,
      holders.map(({node}) => node.name),
    )
  throw new OllamaxError('BAD_INPUT', `no node that has ${model} is reached over SSH`, {
    suggestions: ['add one of those machines over SSH as well: ollamax node add user@host'],
  })
}
