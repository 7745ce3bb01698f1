import {messageOf, OllamaxError} from '../errors.ts'
import {type Manifest, parseManifest} from '../models/manifest.ts'
import {nameOf, type RegistryName} from './asked.ts'

const MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json'
const MAX_BYTES = 4 * 1024 * 1024
const ASK_MS = 20_000

/** Where a registry keeps a file of a model. */
export const blobUrl = (upstream: string, {namespace, model}: RegistryName, digest: string) =>
  `${upstream}/v2/${namespace}/${model}/blobs/${digest}`

/**
 * Asks a registry for a manifest; undefined where it has no such model. DOWNLOAD_FAILED where it cannot be asked;
 * MODEL_DAMAGED for an answer that is no manifest.
 */
export async function askManifest(
  upstream: string,
  {
    name,
    tag,
    signal,
  }: {readonly name: RegistryName; readonly tag: string; readonly signal: AbortSignal},
): Promise<Manifest | undefined> {
  const url = `${upstream}/v2/${name.namespace}/${name.model}/manifests/${tag}`
  const where = `${nameOf(name, tag)} at ${upstream}`
  let bytes: Buffer
  try {
    const reply = await fetch(url, {
      headers: {accept: MANIFEST},
      signal: AbortSignal.any([signal, AbortSignal.timeout(ASK_MS)]),
    })
    if (reply.status === 404) return undefined
    if (!reply.ok) throw new Error(`HTTP ${reply.status}`)
    bytes = await bytesOf(reply)
  } catch (error) {
    signal.throwIfAborted()
    const cause = (error as {cause?: unknown}).cause ?? error
    throw new OllamaxError('DOWNLOAD_FAILED', `${where} cannot be had: ${messageOf(cause)}`, {
      cause: error,
      suggestions: ['does the machine of the gateway reach that registry?'],
    })
  }
  return parseManifest(bytes, where)
}

async function bytesOf({body}: Response): Promise<Buffer> {
  const kept: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of body ?? []) {
    bytes += chunk.length
    if (bytes > MAX_BYTES) throw new Error('its answer is too long for a manifest')
    kept.push(chunk)
  }
  return Buffer.concat(kept)
}
