import type {Manifest} from '../models/manifest.ts'
import type {Part, RegistryName} from './asked.ts'

/** Takes bytes at its own pace: no more come before a promise of it has settled. */
export type Take = (chunk: Buffer) => Promise<void> | void

/** A file of a model that can be read. */
export interface OpenBlob {
  readonly sizeBytes: number
  /** Hands out a part, chunk by chunk; rejects where the bytes cannot be had in full. */
  read(part: Part, to: {readonly take: Take; readonly signal: AbortSignal}): Promise<void>
}

/** Where a registry has its models from. Undefined: not here. */
export interface RegistrySource {
  manifest(name: RegistryName, tag: string, signal: AbortSignal): Promise<Manifest | undefined>
  blob(name: RegistryName, digest: string, signal: AbortSignal): Promise<OpenBlob | undefined>
}

/** The first of the sources that has what is asked for; see `firstThat`. */
export function firstOf(sources: readonly RegistrySource[]): RegistrySource {
  return {
    manifest: (name, tag, signal) =>
      firstThat(sources.map((source) => () => source.manifest(name, tag, signal))),
    blob: (name, digest, signal) =>
      firstThat(sources.map((source) => () => source.blob(name, digest, signal))),
  }
}

/**
 * What the first of the tries gives that gives something. One that fails is passed over, and its error is thrown only where
 * no other one gives anything.
 */
export async function firstThat<T>(
  tries: readonly (() => Promise<T | undefined>)[],
): Promise<T | undefined> {
  let failure: {readonly error: unknown} | undefined
  for (const attempt of tries)
    try {
      const found = await attempt()
      if (found !== undefined) return found
    } catch (error) {
      failure ??= {error}
    }
  if (failure) throw failure.error
  return undefined
}
