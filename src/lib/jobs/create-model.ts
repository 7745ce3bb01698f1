import {createHash} from 'node:crypto'
import {createReadStream} from 'node:fs'
import {readFile, stat} from 'node:fs/promises'
import {dirname, resolve} from 'node:path'
import {parseModelName, shortModelName} from '../cluster/model-name.ts'
import type {NodeSpec} from '../cluster/node.ts'
import type {Reporter} from '../cluster/report.ts'
import {type Selection, selectNodes} from '../cluster/select.ts'
import {messageOf, OllamaxError} from '../errors.ts'
import {notAName} from '../models/manifest.ts'
import {type Modelfile, parseModelfile} from '../models/modelfile.ts'
import {createModelOn, hasBlob, uploadBlob} from '../ollama/create.ts'
import {copyModel} from './copy-model.ts'
import {eachOf} from './each-of.ts'
import {failureOf, type NodeFailure} from './node-failure.ts'
import type {Tools} from './tools.ts'

export interface CreateModelOptions {
  readonly model: string
  /** Path of the Modelfile; files that it names are looked for beside it. */
  readonly file: string
  /** Both empty: all nodes. */
  readonly selection: Selection
  readonly report: Reporter
}

export interface CreatedModel {
  readonly model: string
  readonly nodes: readonly {
    readonly node: string
    /** `copied`: it was made on another node and brought here, so that both are the same. */
    readonly outcome: 'created' | 'copied' | 'had-it' | 'failed'
    readonly error?: NodeFailure
  }[]
}

export type CreateTools = Pick<
  Tools,
  'cluster' | 'clusterName' | 'dial' | 'endpoint' | 'signal' | 'ask' | 'env' | 'paths'
>

const CALL = {connectTimeoutMs: 10_000, headersTimeoutMs: 600_000, idleTimeoutMs: 600_000}

/**
 * Makes a model after a Modelfile: on one node, from which the others get it over SSH, so that all have the same. Nodes
 * by URL make it each by itself. A model of FROM must be on the node that makes it. BAD_INPUT, STATE_IO, NODE_ERROR.
 */
export async function createModel(
  tools: CreateTools,
  options: CreateModelOptions,
): Promise<CreatedModel> {
  if (!parseModelName(options.model)) throw notAName(options.model)
  const model = shortModelName(options.model)
  const {nodes} = await tools.cluster()
  const chosen = selectNodes(nodes, options.selection)
  const recipe = await readRecipe(options.file)
  const overSsh = chosen.filter((node) => node.kind === 'ssh')
  const others = chosen.filter((node) => node.kind !== 'ssh')
  const [first, ...rest] = overSsh
  const makers = [...(first ? [first] : []), ...others]
  const made = await eachOf(makers, 4, async (node): Promise<CreatedModel['nodes'][number]> => {
    try {
      await createOn(tools, node, {...options, model, recipe})
      return {node: node.name, outcome: 'created'}
    } catch (error) {
      tools.signal.throwIfAborted()
      if (node === first) throw error
      return {node: node.name, outcome: 'failed', error: failureOf(error)}
    }
  })
  if (!first || rest.length === 0) return {model, nodes: made}
  const {report} = options
  const to = rest.map((node) => node.name)
  const copied = await copyModel(tools, {model, from: first.name, to, force: true, report})
  const rows = copied.nodes.map(({node, outcome, error}) => ({
    node,
    outcome,
    ...(error ? {error} : {}),
  }))
  return {model, nodes: [...made, ...rows]}
}

/** A Modelfile with the files of this machine that it names. */
interface Recipe {
  readonly modelfile: Modelfile
  readonly from: LocalFile | undefined
  readonly adapter: LocalFile | undefined
}

interface LocalFile {
  readonly path: string
  readonly digest: string
  readonly sizeBytes: number
}

async function readRecipe(file: string): Promise<Recipe> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new OllamaxError('STATE_IO', `${file} could not be read: ${messageOf(error)}`)
  })
  const modelfile = parseModelfile(text)
  const beside = dirname(resolve(file))
  const from = await localFile(resolve(beside, modelfile.from))
  // As Ollama does: what is no file is the name of a model.
  if (!from && !parseModelName(modelfile.from))
    throw new OllamaxError(
      'BAD_INPUT',
      `FROM ${modelfile.from} is neither a file on this machine nor the name of a model`,
    )
  const adapter =
    modelfile.adapter === undefined
      ? undefined
      : await localFile(resolve(beside, modelfile.adapter))
  if (modelfile.adapter !== undefined && !adapter)
    throw new OllamaxError('BAD_INPUT', `the ADAPTER ${modelfile.adapter} is no file here`)
  return {modelfile, from, adapter}
}

async function localFile(path: string): Promise<LocalFile | undefined> {
  const stats = await stat(path).catch(() => undefined)
  if (!stats?.isFile()) return undefined
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path, {highWaterMark: 1024 * 1024}))
    hash.update(chunk as Buffer)
  return {path, digest: `sha256:${hash.digest('hex')}`, sizeBytes: stats.size}
}

async function createOn(
  tools: CreateTools,
  node: NodeSpec,
  {model, recipe, report}: CreateModelOptions & {readonly recipe: Recipe},
): Promise<void> {
  const {modelfile, from, adapter} = recipe
  const endpoint = await tools.endpoint(node)
  const call = {...CALL, signal: tools.signal}
  const subject = node.name
  for (const file of [from, adapter]) {
    if (!file || (await hasBlob(endpoint, file.digest, call))) continue
    const step = `upload ${file.path}`
    const beganMs = performance.now()
    let done = 0
    report({kind: 'start', subject, step})
    const counted = async function* () {
      for await (const chunk of createReadStream(file.path, {highWaterMark: 256 * 1024})) {
        done += (chunk as Buffer).length
        report({kind: 'bytes', subject, step, done, total: file.sizeBytes})
        yield chunk as Buffer
      }
    }
    await uploadBlob(endpoint, {...file, bytes: counted()}, call)
    report({kind: 'done', subject, step, ms: performance.now() - beganMs})
  }
  const {from: base, adapter: _, ...said} = modelfile
  const request = {
    ...said,
    model,
    ...(from ? {files: {'model.gguf': from.digest}} : {from: base}),
    ...(adapter ? {adapters: {'adapter.gguf': adapter.digest}} : {}),
  }
  const beganMs = performance.now()
  report({kind: 'start', subject, step: `create ${model}`})
  await createModelOn(endpoint, request, call)
  report({kind: 'done', subject, step: `create ${model}`, ms: performance.now() - beganMs})
  report({kind: 'end', subject, ok: true, text: 'created'})
}
