import {access, constants, readdir, readFile, stat} from 'node:fs/promises'
import {homedir} from 'node:os'
import {join, sep} from 'node:path'
import {shortModelName} from '../../cluster/model-name.ts'
import {readGguf} from '../model/gguf.ts'
import {type EngineModel, modelCard} from '../model/model-card.ts'

const MODEL_LAYER = 'application/vnd.ollama.image.model'
/** A store with more tags than this is not searched to its end. */
const MAX_MANIFESTS = 2000

/** Directories where an Ollama of this machine keeps its models, the likeliest first. */
export function storeDirectories(env: Readonly<NodeJS.ProcessEnv>): string[] {
  const home = env.HOME || homedir()
  // As Ollama has it: the variable replaces the usual places.
  if (env.OLLAMA_MODELS) return [env.OLLAMA_MODELS]
  return [join(home, '.ollama', 'models'), '/usr/share/ollama/.ollama/models']
}

/**
 * The smallest model for text of the first store that has one we may read, or the one named `wanted`.
 * The file stays where it is. A string says why there is none.
 */
export async function storeModel(
  directories: readonly string[],
  wanted?: string,
): Promise<EngineModel | string> {
  let why = `no Ollama store in ${directories.join(', ')}`
  for (const directory of directories) {
    const models = await readStore(directory)
    if (models === undefined) continue
    const named = models.filter(({name}) => wanted === undefined || name === shortModelName(wanted))
    for (const model of named.toSorted((a, b) => a.sizeBytes - b.sizeBytes))
      if (await makesText(model.path)) return model
    why = `the Ollama store ${directory} has no ${wanted ?? 'model for text'} that this account may read`
  }
  return why
}

async function readStore(directory: string): Promise<EngineModel[] | undefined> {
  const root = join(directory, 'manifests')
  const entries = await readdir(root, {recursive: true, withFileTypes: true}).catch(() => undefined)
  const files = entries?.filter((entry) => entry.isFile()).slice(0, MAX_MANIFESTS)
  if (!files) return undefined
  const models = await Promise.all(
    files.map((entry) => readManifest(directory, join(entry.parentPath, entry.name))),
  )
  return models.filter((model) => model !== undefined)
}

async function readManifest(directory: string, file: string): Promise<EngineModel | undefined> {
  const path = file.slice(join(directory, 'manifests').length + 1).split(sep)
  const tag = path.pop()
  try {
    const manifest = JSON.parse(await readFile(file, 'utf8')) as {
      layers?: ReadonlyArray<{mediaType?: unknown; digest?: unknown}>
    }
    const layer = manifest.layers?.find(({mediaType}) => mediaType === MODEL_LAYER)
    const [, hex] = /^sha256:([0-9a-f]{64})$/.exec(String(layer?.digest)) ?? []
    if (!hex || tag === undefined) return undefined
    const blob = join(directory, 'blobs', `sha256-${hex}`)
    await access(blob, constants.R_OK)
    return {
      name: shortModelName(`${path.join('/')}:${tag}`),
      path: blob,
      sha256: hex,
      sizeBytes: (await stat(blob)).size,
      source: `Ollama store ${directory}`,
    }
  } catch {
    // A manifest without its blob, or one that is just being written: not a model to have.
    return undefined
  }
}

async function makesText(path: string): Promise<boolean> {
  const header = await readGguf(path).catch(() => undefined)
  return header?.metadata.has('tokenizer.ggml.model') === true && !modelCard(header).embedding
}
