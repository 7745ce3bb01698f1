import {createHash} from 'node:crypto'
import {parseModelName, shortModelName} from '../cluster/model-name.ts'
import {OllamaxError} from '../errors.ts'

/** A file of a store, named by its content. */
export interface Blob {
  /** `sha256:` and 64 hex digits. */
  readonly digest: string
  readonly sizeBytes: number
}

/** One part of a model: weights, template, parameters... */
export interface Layer extends Blob {
  readonly mediaType: string
}

/** What makes up a model, as a store holds it. */
export interface Manifest {
  /** The file, byte by byte: its hash is the model's digest. */
  readonly bytes: Buffer
  /** Without `sha256:`, as `/api/tags` tells it. */
  readonly digest: string
  readonly config: Layer
  readonly layers: readonly Layer[]
}

const DIGEST = /^sha256:[0-9a-f]{64}$/
/** Real ones have some hundred bytes. */
const MAX_BYTES = 4 * 1024 * 1024

/** Reads a manifest; `where` names it in the error. MODEL_DAMAGED for what is none. */
export function parseManifest(bytes: Buffer, where: string): Manifest {
  const digest = digestOf(bytes)
  if (bytes.length > MAX_BYTES) throw damaged(where, 'it is too large')
  let raw: {config?: unknown; layers?: unknown}
  try {
    raw = (JSON.parse(bytes.toString('utf8')) ?? {}) as typeof raw
  } catch {
    throw damaged(where, 'it is not JSON')
  }
  const config = layerOf(raw.config)
  const layers = Array.isArray(raw.layers) ? raw.layers.map(layerOf) : undefined
  if (!config || !layers) throw damaged(where, 'it has no config or no layers')
  if (layers.some((layer) => !layer)) throw damaged(where, 'a layer in it has no digest or size')
  return {bytes, digest, config, layers: layers as Layer[]}
}

/** A model's digest, from the bytes of its manifest: hex digits alone. */
export function digestOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function layerOf(raw: unknown): Layer | undefined {
  const {digest, size, mediaType} = (raw ?? {}) as Record<string, unknown>
  if (typeof digest !== 'string' || !DIGEST.test(digest)) return undefined
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) return undefined
  return {digest, sizeBytes: size, mediaType: typeof mediaType === 'string' ? mediaType : ''}
}

function damaged(where: string, why: string): OllamaxError {
  return new OllamaxError('MODEL_DAMAGED', `the manifest of ${where} cannot be used: ${why}`, {
    suggestions: ['pull the model anew there, or copy it from another node'],
  })
}

/** The files that a model needs, each once, the largest last: what is wrong with small ones is known soon. */
export function blobsOf(manifest: Manifest): Blob[] {
  const all = new Map(
    [manifest.config, ...manifest.layers].map(({digest, sizeBytes}) => [
      digest,
      {digest, sizeBytes},
    ]),
  )
  return [...all.values()].sort((a, b) => a.sizeBytes - b.sizeBytes)
}

/** Bytes of all files of a model. */
export const sizeOf = (manifest: Manifest): number =>
  blobsOf(manifest).reduce((sum, {sizeBytes}) => sum + sizeBytes, 0)

/** Where a store keeps the manifest of a model, below `manifests`; BAD_INPUT for what is no model's name. */
export function manifestPath(name: string): string {
  const parts = parseModelName(name)
  if (!parts) throw notAName(name)
  return `${parts.host}/${parts.namespace}/${parts.model}/${parts.tag}`
}

/** BAD_INPUT for what Ollama would not take for a model's name. */
export function notAName(name: string): OllamaxError {
  return new OllamaxError('BAD_INPUT', `"${name}" is not the name of a model`, {
    suggestions: ['write it like llama3.2:3b or registry.example.com/team/model:tag'],
  })
}

/** The hex digits alone, as blob files are named by them. */
export const hexOf = (digest: string): string => digest.slice('sha256:'.length)

/** The name of the model whose manifest lies there; undefined for a path that is none of a manifest. */
export function nameOfPath(path: string): string | undefined {
  const parts = path.split('/')
  if (parts.length !== 4) return undefined
  const tag = parts.pop()
  const name = `${parts.join('/')}:${tag}`
  return parseModelName(name) ? shortModelName(name) : undefined
}
