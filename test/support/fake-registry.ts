import {createHash} from 'node:crypto'
import {once} from 'node:events'
import {createServer} from 'node:http'
import type {AddressInfo} from 'node:net'

export interface FakeRegistry {
  readonly url: string
  /** `GET /v2/...`, with ` RANGE` where a part was asked for. */
  readonly requests: readonly string[]
  /** Gives out other bytes than the digest says from now on. */
  damage(digest: string): void
  /** Sends so many bytes of the next file that has more, and ends the connection once they have been seen to arrive. */
  cutNextAfter(bytes: number, arrived: () => boolean): void
  /** No file is given out before `let go` of it is called. */
  hold(): () => void
  close(): Promise<void>
}

export interface RegistryModel {
  /** As `small` or `team/small`, always of the tag latest. */
  readonly name: string
  readonly weights: Buffer
}

export const hexOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')
export const digestOf = (bytes: Buffer): string => `sha256:${hexOf(bytes)}`

/** A model's files: what a store or a registry keeps of it. */
export function filesOf({name, weights}: RegistryModel): {
  readonly manifest: Buffer
  readonly blobs: readonly Buffer[]
} {
  const config = Buffer.from(JSON.stringify({name, family: 'llama'}))
  const layer = (mediaType: string, bytes: Buffer) => ({
    mediaType,
    digest: digestOf(bytes),
    size: bytes.length,
  })
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      config: layer('application/vnd.docker.container.image.v1+json', config),
      layers: [layer('application/vnd.ollama.image.model', weights)],
    }),
  )
  return {manifest, blobs: [config, weights]}
}

/** A registry of models as Ollama's own is one: redirects and all. */
export async function startFakeRegistry(models: readonly RegistryModel[]): Promise<FakeRegistry> {
  const manifests = new Map<string, Buffer>()
  const blobs = new Map<string, Buffer>()
  for (const model of models) {
    const files = filesOf(model)
    const path = model.name.includes('/') ? model.name : `library/${model.name}`
    manifests.set(`/v2/${path}/manifests/latest`, files.manifest)
    for (const bytes of files.blobs) blobs.set(digestOf(bytes), bytes)
  }
  const requests: string[] = []
  let cut: {readonly after: number; readonly arrived: () => boolean} | undefined
  let held: Promise<void> | undefined
  const server = createServer(async (request, response) => {
    const {range} = request.headers
    requests.push(`${request.method} ${request.url}${range ? ` ${range}` : ''}`)
    const url = request.url ?? ''
    const manifest = manifests.get(url)
    if (manifest) return void response.end(manifest)
    const digest = url.split('/').at(-1) ?? ''
    const bytes = blobs.get(digest)
    if (!bytes) return void response.writeHead(404).end()
    // The files lie elsewhere.
    if (url.startsWith('/v2/')) {
      response.writeHead(307, {Location: `/files/${digest}`}).end()
      return
    }
    await held
    const from = Number(/^bytes=(\d+)-/.exec(range ?? '')?.[1] ?? 0)
    response.writeHead(range ? 206 : 200, {
      'Content-Length': bytes.length - from,
      ...(range ? {'Content-Range': `bytes ${from}-${bytes.length - 1}/${bytes.length}`} : {}),
    })
    if (!cut || cut.after >= bytes.length) return void response.end(bytes.subarray(from))
    const {after, arrived} = cut
    cut = undefined
    response.write(bytes.subarray(from, from + after))
    const look = setInterval(() => {
      if (!arrived()) return
      clearInterval(look)
      response.destroy()
    }, 5)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    damage(digest) {
      const bytes = Buffer.from(blobs.get(digest) ?? '')
      bytes[0] = (bytes[0] ?? 0) ^ 1
      blobs.set(digest, bytes)
    },
    cutNextAfter(after, arrived) {
      cut = {after, arrived}
    },
    hold() {
      const {promise, resolve} = Promise.withResolvers<void>()
      held = promise
      return resolve
    },
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
