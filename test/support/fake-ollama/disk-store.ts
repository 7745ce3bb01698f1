import {createHash} from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import {dirname, join, relative} from 'node:path'
import {type Model, type ModelStore, modelOf} from './model.ts'
import type {FakeModel} from './options.ts'

interface Layer {
  readonly mediaType: string
  readonly digest: string
  readonly size: number
}

/**
 * A store in Ollama's layout: `manifests/<registry>/library/<model>/<tag>` and `blobs/sha256-<hex>`. It is read anew for
 * each answer, so that models copied in by others are seen at once, as Ollama sees them.
 */
export function diskStore(root: string): ModelStore {
  const manifests = join(root, 'manifests')
  const blobs = join(root, 'blobs')
  const blobPath = (digest: string): string => join(blobs, digest.replace(':', '-'))
  mkdirSync(manifests, {recursive: true})
  mkdirSync(blobs, {recursive: true})

  const addBlob = (mediaType: string, content: Buffer): Layer => {
    const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`
    write(blobPath(digest), content)
    return {mediaType, digest, size: content.length}
  }
  const read = (file: string): Model | undefined => {
    const text = readFileSync(file, 'utf8')
    const {config, layers} = JSON.parse(text) as {config: Layer; layers: Layer[]}
    if (![config, ...layers].every((layer) => existsSync(blobPath(layer.digest)))) return undefined
    const told = JSON.parse(readFileSync(blobPath(config.digest), 'utf8')) as FakeModel
    const fake: FakeModel = {
      ...told,
      name: nameOf(relative(manifests, file)),
      digest: createHash('sha256').update(text).digest('hex'),
      blob: (layers[0]?.digest ?? '').replace('sha256:', ''),
      sizeBytes: layers.reduce((sum, layer) => sum + layer.size, config.size),
    }
    return modelOf(fake, statSync(file).mtime)
  }
  return {
    list: () => filesIn(manifests).flatMap((file) => read(file) ?? []),
    put: (model) => {
      const {name: _name, digest: _digest, blob: _blob, modifiedAt: _at, ...told} = model
      const kept = existsSync(blobPath(`sha256:${model.blob}`))
        ? readFileSync(blobPath(`sha256:${model.blob}`))
        : Buffer.alloc(model.sizeBytes, `weights ${model.blob} `)
      const weights = addBlob('application/vnd.ollama.image.model', kept)
      const config = addBlob(
        'application/vnd.docker.container.image.v1+json',
        Buffer.from(JSON.stringify(told)),
      )
      const mediaType = 'application/vnd.docker.distribution.manifest.v2+json'
      const manifest = {schemaVersion: 2, mediaType, config, layers: [weights]}
      write(join(manifests, pathOf(model.name)), Buffer.from(JSON.stringify(manifest)))
    },
    remove: (name) => {
      const file = join(manifests, pathOf(name))
      if (!existsSync(file)) return false
      rmSync(file)
      return true
    },
    hasBlob: (digest) => existsSync(blobPath(digest)),
    putBlob: (digest, content) => write(blobPath(digest), content),
  }
}

function filesIn(dir: string): string[] {
  return readdirSync(dir, {recursive: true, withFileTypes: true})
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
}

/** What was written is whole or not there. */
function write(file: string, content: Buffer): void {
  mkdirSync(dirname(file), {recursive: true})
  writeFileSync(`${file}-partial`, content)
  renameSync(`${file}-partial`, file)
}

const REGISTRY = 'registry.ollama.ai'

/** `tiny:latest` -> `<registry>/library/tiny/latest`. */
function pathOf(name: string): string {
  const [path = '', tag = 'latest'] = splitTag(name)
  const parts = path.split('/')
  if (parts.length === 1) return join(REGISTRY, 'library', path, tag)
  return parts.length === 2 ? join(REGISTRY, path, tag) : join(path, tag)
}

function nameOf(path: string): string {
  const parts = path.split('/')
  const tag = parts.pop() ?? 'latest'
  if (parts[0] === REGISTRY) parts.shift()
  if (parts[0] === 'library' && parts.length === 2) parts.shift()
  return `${parts.join('/')}:${tag}`
}

function splitTag(name: string): [string, string] {
  const at = name.lastIndexOf(':')
  return at > name.lastIndexOf('/') ? [name.slice(0, at), name.slice(at + 1)] : [name, 'latest']
}
