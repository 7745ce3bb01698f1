import {createHash} from 'node:crypto'
import type {Lab} from './lab.ts'

/** Where the service that the official script or ours installs keeps its models. */
export const STORE = '/usr/share/ollama/.ollama/models'

export interface Planted {
  /** Hex digits of the file with the weights. */
  readonly weights: string
  /** Digest of the model, as tags tells it. */
  readonly digest: string
}

/** Puts a model with these weights into a host's store, behind everybody's back, as Ollama would keep it. */
export async function plantModel(
  lab: Lab,
  host: number,
  {name, content}: {readonly name: string; readonly content: Buffer},
): Promise<Planted> {
  const hex = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')
  const config = Buffer.from(JSON.stringify({name, family: 'llama'}))
  const layer = (mediaType: string, bytes: Buffer) => ({
    mediaType,
    digest: `sha256:${hex(bytes)}`,
    size: bytes.length,
  })
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      config: layer('application/vnd.docker.container.image.v1+json', config),
      layers: [layer('application/vnd.ollama.image.model', content)],
    }),
  )
  const dir = `${STORE}/manifests/registry.ollama.ai/library/${name}`
  await lab.exec(host, `mkdir -p ${dir} ${STORE}/blobs`)
  for (const bytes of [config, content])
    await lab.exec(host, `cat >${STORE}/blobs/sha256-${hex(bytes)}`, {stdin: bytes})
  await lab.exec(host, `cat >${dir}/latest; chown -R ollama: ${STORE}`, {stdin: manifest})
  return {weights: hex(content), digest: hex(manifest)}
}
