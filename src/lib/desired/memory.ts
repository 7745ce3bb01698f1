import type {LoadedModel, ModelTag} from '../cluster/reading.ts'

/** Ollama writes "until stopped" as a time far beyond any keep-alive. */
const FAR_MS = Date.UTC(2200, 0)

/** True if nothing but want of memory ends it. */
export const isForever = ({expiresAt}: Pick<LoadedModel, 'expiresAt'>) =>
  Date.parse(expiresAt) > FAR_MS

/** The runner rounds a context up to a multiple of this. */
const STEP = 256

/** True if it was loaded with that context, as far as the model's own limit lets it; absent: with any. */
export function isLoadedAs(
  {contextLength}: Pick<LoadedModel, 'contextLength'>,
  tag: Pick<ModelTag, 'contextLength'> | undefined,
  context: number | undefined,
): boolean {
  if (context === undefined || contextLength === undefined) return true
  const wanted = Math.min(context, tag?.contextLength ?? context)
  return contextLength >= wanted && contextLength < Math.max(wanted, STEP) + STEP
}
