import {createHash} from 'node:crypto'
import type {FakeModel} from './options.ts'

/** A model with everything that the API tells of it. */
export interface Model {
  /** Always with its tag. */
  readonly name: string
  readonly digest: string
  readonly blob: string
  readonly sizeBytes: number
  readonly capabilities: readonly string[]
  readonly listedCapabilities: readonly string[] | null
  readonly family: string
  readonly parameterSize: string
  readonly quantization: string
  readonly contextLength: number
  readonly loadMs: number | undefined
  readonly modifiedAt: string
}

const PART = '[A-Za-z0-9_][A-Za-z0-9_.-]*'
const NAME = new RegExp(`^(?:${PART}(?::[0-9]+)?/)?(?:${PART}/)?${PART}(?::${PART})?$`)

/** The name with its tag; undefined if Ollama would not take it for a name. */
export function fullName(name: string): string | undefined {
  if (!NAME.test(name)) return undefined
  return name.slice(name.lastIndexOf('/') + 1).includes(':') ? name : `${name}:latest`
}

export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

/** Fills in what a test left out; the same name gives the same digest on every node. */
export function modelOf(given: string | FakeModel, now = new Date()): Model {
  const fake = typeof given === 'string' ? {name: given} : given
  const name = fullName(fake.name)
  if (name === undefined) throw new Error(`not a model name: ${fake.name}`)
  const embedding = fake.name.includes('embed')
  const capabilities = fake.capabilities ?? [embedding ? 'embedding' : 'completion']
  return {
    name,
    digest: fake.digest ?? sha256(`manifest of ${name}`),
    blob: fake.blob ?? sha256(`weights of ${name}`),
    sizeBytes: fake.sizeBytes ?? 1_200_000,
    capabilities,
    listedCapabilities:
      fake.listedCapabilities === undefined ? capabilities : fake.listedCapabilities,
    family: fake.family ?? 'llama',
    parameterSize: fake.parameterSize ?? '1.1M',
    quantization: fake.quantization ?? 'F16',
    contextLength: fake.contextLength ?? 8192,
    loadMs: fake.loadMs,
    modifiedAt: now.toISOString(),
  }
}

/** The models a node has on disk. */
export interface ModelStore {
  list(): readonly Model[]
  put(model: Model): void
  /** False if there was none. */
  remove(name: string): boolean
  /** `sha256:` and 64 hex digits. */
  hasBlob(digest: string): boolean
  putBlob(digest: string, content: Buffer): void
}

/** A store that lives as long as its process. */
export function memoryStore(models: readonly Model[]): ModelStore {
  const byName = new Map(models.map((m) => [m.name, m]))
  const blobs = new Set<string>()
  return {
    list: () => [...byName.values()],
    put: (model) => {
      byName.delete(model.name)
      byName.set(model.name, model)
    },
    remove: (name) => byName.delete(name),
    hasBlob: (digest) =>
      blobs.has(digest) || [...byName.values()].some(({blob}) => digest === `sha256:${blob}`),
    putBlob: (digest) => {
      blobs.add(digest)
    },
  }
}

/** `details` as tags, ps and show give them. */
export function detailsOf(model: Model): Record<string, unknown> {
  return {
    parent_model: '',
    format: 'gguf',
    family: model.family,
    families: [model.family],
    parameter_size: model.parameterSize,
    quantization_level: model.quantization,
    context_length: model.contextLength,
    embedding_length: 64,
  }
}
