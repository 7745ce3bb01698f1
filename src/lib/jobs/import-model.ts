import type {NodeSpec} from '../cluster/node.ts'
import type {Reporter} from '../cluster/report.ts'
import {type Selection, selectNodes} from '../cluster/select.ts'
import {OllamaxError} from '../errors.ts'
import {readBundle} from '../models/bundle.ts'
import {nameOfPath, sizeOf} from '../models/manifest.ts'
import {type SpreadNode, spreadModel} from './spread-model.ts'
import {sudoPasswordOf} from './sudo-password.ts'
import type {Tools} from './tools.ts'

export interface ImportModelOptions {
  readonly file: string
  /** Both empty: all nodes. */
  readonly selection: Selection
  /** Another name than the one in the bundle. */
  readonly as?: string | undefined
  /** Bring it also to nodes where it can never run. */
  readonly force?: boolean | undefined
  readonly report: Reporter
}

export interface ImportedModel {
  readonly model: string
  readonly digest: string
  readonly sizeBytes: number
  readonly file: string
  readonly nodes: readonly SpreadNode[]
}

export type ImportTools = Pick<Tools, 'cluster' | 'dial' | 'endpoint' | 'signal' | 'ask' | 'env'>

/** Brings the model of a bundle to nodes, every digest checked there. MODEL_DAMAGED, STATE_IO; see `spreadModel`. */
export async function importModel(
  tools: ImportTools,
  options: ImportModelOptions,
): Promise<ImportedModel> {
  const {file, selection, force, report} = options
  const {nodes} = await tools.cluster()
  const to: readonly NodeSpec[] = selectNodes(nodes, selection)
  const {manifest, path, source} = await readBundle(file)
  const model = options.as ?? nameOfPath(path)
  if (model === undefined)
    throw new OllamaxError('MODEL_DAMAGED', `${file} does not say the name of its model: ${path}`, {
      suggestions: ['say it: --as NAME'],
    })
  const sudoPassword = sudoPasswordOf(tools, undefined)
  const {signal} = tools
  const rows = await spreadModel(tools, {
    model,
    manifest,
    source,
    to,
    sudoPassword,
    force,
    report,
    signal,
  })
  const sizeBytes = sizeOf(manifest)
  return {model, digest: manifest.digest, sizeBytes, file, nodes: rows}
}
