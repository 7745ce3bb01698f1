import {PassThrough} from 'node:stream'
import type {NodeSpec} from '../cluster/node.ts'
import type {Reporter} from '../cluster/report.ts'
import {OllamaxError} from '../errors.ts'
import {apiRecipe} from '../models/api-recipe.ts'
import type {Blob, Manifest} from '../models/manifest.ts'
import type {BlobSource} from '../models/relay.ts'
import {createModelOn, hasBlob, uploadBlob} from '../ollama/create.ts'
import {readNode} from '../ollama/read-node.ts'
import type {Tools} from './tools.ts'

export interface ApiSpreadOptions {
  readonly model: string
  readonly manifest: Manifest
  readonly source: BlobSource
  readonly report: Reporter
  readonly signal: AbortSignal
}

const CALL = {connectTimeoutMs: 10_000, headersTimeoutMs: 600_000, idleTimeoutMs: 600_000}
/** A template or license; what is larger is none. */
const MOST_TEXT = 4 * 1024 * 1024

/**
 * Makes a model on a node whose files cannot be reached, through its API: its files are uploaded (whole ones only, the API
 * knows no resume), and it is created of them. Gives the bytes sent, and the digest that it has there, which an older or
 * newer Ollama may make another one. BAD_INPUT for a model that the API cannot be told.
 */
export async function spreadByApi(
  tools: Pick<Tools, 'endpoint'>,
  node: NodeSpec,
  options: ApiSpreadOptions,
): Promise<{readonly sentBytes: number; readonly digest: string | undefined}> {
  const {model, manifest, source, report, signal} = options
  const recipe = apiRecipe(manifest)
  if (!recipe)
    throw new OllamaxError(
      'BAD_INPUT',
      `${node.name}: ${model} has parts that no API can be told`,
      {
        suggestions: ['add the machine over SSH as well: ollamax node add user@host'],
      },
    )
  const endpoint = await tools.endpoint(node)
  const call = {...CALL, signal}
  const missing: Blob[] = []
  for (const blob of recipe.uploads)
    if (!(await hasBlob(endpoint, blob.digest, call))) missing.push(blob)
  const total = missing.reduce((sum, {sizeBytes}) => sum + sizeBytes, 0)
  const step = `copy ${model}`
  let done = 0
  let toldMs = 0
  const count = (bytes: number) => {
    done += bytes
    const nowMs = performance.now()
    if (done < total && nowMs - toldMs < 100) return
    toldMs = nowMs
    report({kind: 'bytes', subject: node.name, step, done, total})
  }
  for (const blob of missing) {
    const bytes = streamOf(source, blob, {signal, count})
    await uploadBlob(endpoint, {...blob, bytes}, call)
  }
  const texts = new Map<string, string>()
  for (const layer of recipe.texts) texts.set(layer.digest, await textOf(source, layer, signal))
  await createModelOn(endpoint, recipe.request(model, texts), call)
  const reading = await readNode(endpoint, node.name, {signal, timeoutMs: 10_000})
  const tags = reading.kind === 'up' ? reading.models : []
  return {sentBytes: done, digest: tags.find(({name}) => name === model)?.digest}
}

/** A source's bytes as a stream, at the pace of whoever reads it. */
function streamOf(
  source: BlobSource,
  blob: Blob,
  {signal, count}: {readonly signal: AbortSignal; readonly count: (bytes: number) => void},
): PassThrough {
  const stream = new PassThrough({highWaterMark: 1024 * 1024})
  const take = (chunk: Buffer) => {
    if (stream.destroyed) return Promise.reject(new Error('nobody takes it any more'))
    count(chunk.length)
    if (stream.write(chunk)) return undefined
    return new Promise<void>((resolve) => {
      stream.once('drain', resolve)
      stream.once('close', resolve)
    })
  }
  source.read(blob, 0, {take, signal}).then(
    () => stream.end(),
    (error: unknown) => stream.destroy(error instanceof Error ? error : new Error('broke off')),
  )
  return stream
}

async function textOf(source: BlobSource, blob: Blob, signal: AbortSignal): Promise<string> {
  if (blob.sizeBytes > MOST_TEXT)
    throw new OllamaxError('MODEL_DAMAGED', `the text ${blob.digest} of the model is too long`)
  const chunks: Buffer[] = []
  const take = (chunk: Buffer) => void chunks.push(Buffer.from(chunk))
  await source.read(blob, 0, {take, signal})
  return Buffer.concat(chunks).toString('utf8')
}
