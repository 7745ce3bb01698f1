import {type Blob, blobsOf, type Manifest} from './manifest.ts'
import type {Look} from './read-look.ts'

/** What a store lacks of a model. */
export interface Lack {
  readonly blobs: readonly Blob[]
  /** Bytes still to be sent, without what an earlier copy left. */
  readonly bytes: number
  /** Bytes that an earlier copy left. */
  readonly partBytes: number
  /** Of each file. */
  readonly parts: ReadonlyMap<string, number>
}

/** Left free on a disk: a full one breaks more than Ollama. */
export const RESERVE_BYTES = 64 * 1024 * 1024

/** What is to be sent there. A file of another size is no such file, whatever its name says. */
export function lackOf(manifest: Manifest, look: Pick<Look, 'blobs' | 'parts'>): Lack {
  const blobs = blobsOf(manifest).filter(
    ({digest, sizeBytes}) => look.blobs.get(digest)?.sizeBytes !== sizeBytes,
  )
  const total = blobs.reduce((sum, {sizeBytes}) => sum + sizeBytes, 0)
  const parts = new Map(
    blobs.map(({digest, sizeBytes}) => [digest, Math.min(sizeBytes, look.parts.get(digest) ?? 0)]),
  )
  const partBytes = [...parts.values()].reduce((sum, bytes) => sum + bytes, 0)
  return {blobs, bytes: total - partBytes, partBytes, parts}
}

/** Bytes by which a disk is too small for what it lacks; 0 where it fits or its room is unknown. */
export function spaceMissing(lack: Lack, freeBytes: number | undefined): number {
  if (freeBytes === undefined || lack.bytes === 0) return 0
  return Math.max(0, lack.bytes + RESERVE_BYTES - freeBytes)
}
