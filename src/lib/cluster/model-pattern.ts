import {fitsGlob} from './glob.ts'
import {type ModelName, parseModelName, splitModelName} from './model-name.ts'

/** Names of models that are meant together: each part is a glob in lower case. */
export type ModelPattern = ModelName

/** Characters of the longest pattern that is read. */
const MAX_LENGTH = 400

/**
 * Reads the name of a model in which `*` stands for any text and `?` for any one character; undefined if
 * no name could fit it. The parts are compared one by one, so that `*` never crosses a `/`: `llama*` does
 * not let in a model of the host `llama.example`. What is left out is what Ollama puts there, so `*` is
 * every model of Ollama's own library, and every model of all is a star for host, namespace and model
 * each. Only a tag that is left out after a glob is any tag: `qwen*` means all of them, `qwen3` only `latest`.
 */
export function parseModelPattern(text: string): ModelPattern | undefined {
  if (text.length > MAX_LENGTH) return undefined
  const lower = text.toLowerCase()
  const written = splitModelName(lower)
  // A letter may stand wherever a sign may; what is valid with letters for its wildcards can be fitted.
  const valid = parseModelName(lower.replaceAll(/[*?]/g, 'x'))
  if (!written || !valid) return undefined
  const {host = valid.host, namespace = valid.namespace, model, tag} = written
  return {host, namespace, model, tag: tag ?? (/[*?]/.test(model) ? '*' : valid.tag)}
}

/** True if the pattern means that model. Names are compared as Ollama does; what is no name fits nothing. */
export function fitsModelPattern(pattern: ModelPattern, name: string): boolean {
  const asked = parseModelName(name.toLowerCase())
  return (
    asked !== undefined &&
    fitsGlob(pattern.model, asked.model) &&
    fitsGlob(pattern.tag, asked.tag) &&
    fitsGlob(pattern.namespace, asked.namespace) &&
    fitsGlob(pattern.host, asked.host)
  )
}
