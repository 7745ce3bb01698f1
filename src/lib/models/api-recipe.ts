import type {Blob, Layer, Manifest} from './manifest.ts'

/** How a model is made anew through the API of a node whose files cannot be reached. */
export interface ApiRecipe {
  /** Files that the node must have before. */
  readonly uploads: readonly Blob[]
  /** Small parts whose text goes into the request. */
  readonly texts: readonly Layer[]
  /** The body of /api/create, given the texts by digest. */
  request(
    model: string,
    texts: ReadonlyMap<string, string>,
  ): {readonly model: string} & Record<string, unknown>
}

const TYPE = 'application/vnd.ollama.image.'
const FILES = ['model', 'projector', 'adapter']
const TEXTS = ['template', 'system', 'license', 'params', 'messages']

/** Undefined for a model with a part that the API could not be told: made without it, it would be another one. */
export function apiRecipe({layers}: Manifest): ApiRecipe | undefined {
  const kindOf = ({mediaType}: Layer) => mediaType.slice(TYPE.length)
  const known = layers.every(
    (layer) => layer.mediaType.startsWith(TYPE) && [...FILES, ...TEXTS].includes(kindOf(layer)),
  )
  if (!known) return undefined
  const uploads = layers.filter((layer) => FILES.includes(kindOf(layer)))
  const texts = layers.filter((layer) => TEXTS.includes(kindOf(layer)))
  const named = (kinds: readonly string[]) =>
    Object.fromEntries(
      uploads
        .filter((layer) => kinds.includes(kindOf(layer)))
        .map((layer, at) => [`${kindOf(layer)}${at || ''}.gguf`, layer.digest]),
    )
  return {
    uploads: uploads.map(({digest, sizeBytes}) => ({digest, sizeBytes})),
    texts,
    request(model, content) {
      const of = (kind: string) =>
        texts.filter((layer) => kindOf(layer) === kind).map(({digest}) => content.get(digest) ?? '')
      const [template] = of('template')
      const [system] = of('system')
      const [params] = of('params')
      const [messages] = of('messages')
      const license = of('license')
      const adapters = named(['adapter'])
      return {
        model,
        files: named(['model', 'projector']),
        ...(Object.keys(adapters).length > 0 ? {adapters} : {}),
        ...(template === undefined ? {} : {template}),
        ...(system === undefined ? {} : {system}),
        ...(params === undefined ? {} : {parameters: JSON.parse(params)}),
        ...(messages === undefined ? {} : {messages: JSON.parse(messages)}),
        ...(license.length > 0 ? {license} : {}),
      }
    },
  }
}
