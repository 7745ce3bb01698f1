/** A model's name in its parts, with Ollama's defaults filled in. */
export interface ModelName {
  readonly host: string
  readonly namespace: string
  readonly model: string
  readonly tag: string
}

const HOST = 'registry.ollama.ai'
const NAMESPACE = 'library'
const TAG = 'latest'
const PART = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/
const HOST_PART = /^[A-Za-z0-9_][A-Za-z0-9_.:-]*$/

/** The parts of a name as they are written; undefined where one is left out. */
export interface SplitName {
  readonly host: string | undefined
  readonly namespace: string | undefined
  readonly model: string
  readonly tag: string | undefined
}

/** Splits `[scheme://][host[:port]/][namespace/]model[:tag]`; undefined for too many parts. Checks nothing else. */
export function splitModelName(text: string): SplitName | undefined {
  const parts = text.replace(/^https?:\/\//, '').split('/')
  if (parts.length > 3) return undefined
  const last = parts.pop() ?? ''
  // Only after the last slash a colon starts the tag: before it, it is a port.
  const colon = last.indexOf(':')
  const model = colon < 0 ? last : last.slice(0, colon)
  const tag = colon < 0 ? undefined : last.slice(colon + 1)
  const namespace = parts.pop()
  return {host: parts.pop(), namespace, model, tag}
}

/**
 * Reads a name as `splitModelName` splits it; undefined when Ollama would call it invalid. Case is kept
 * (compare with `sameModel`).
 */
export function parseModelName(text: string): ModelName | undefined {
  const split = splitModelName(text)
  if (!split) return undefined
  const {host = HOST, namespace = NAMESPACE, model, tag = TAG} = split
  const valid =
    PART.test(model) &&
    model.length <= 80 &&
    PART.test(tag) &&
    tag.length <= 80 &&
    PART.test(namespace) &&
    HOST_PART.test(host)
  return valid ? {host, namespace, model, tag} : undefined
}

/** True if it comes from Ollama's own registry. */
export const isOfficial = ({host}: ModelName): boolean => host.toLowerCase() === HOST

/** One spelling for all names of one model: defaults filled in, lower case. Text that is no name stays as it is. */
export function modelKey(text: string): string {
  const name = parseModelName(text)
  if (!name) return text
  return `${name.host}/${name.namespace}/${name.model}:${name.tag}`.toLowerCase()
}

/** The short spelling that people use: without default host and namespace, always with a tag. */
export function shortModelName(text: string): string {
  const name = parseModelName(text)
  if (!name) return text
  const host = isOfficial(name) ? '' : `${name.host}/`
  const namespace = !host && name.namespace.toLowerCase() === NAMESPACE ? '' : `${name.namespace}/`
  return `${host}${namespace}${name.model}:${name.tag}`
}

/** True if Ollama takes both names for the same model: `Llama3.2` and `library/llama3.2:latest` are one. */
export function sameModel(a: string, b: string): boolean {
  return a === b || modelKey(a) === modelKey(b)
}
