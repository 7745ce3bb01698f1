import type {OllamaSigner} from './ollama-signer.ts'

interface Told {
  readonly config: {readonly digest: string}
  readonly layers: readonly {readonly digest: string}[]
}

/** What a pull brought: the manifest's text, and the files by digest. */
export interface Pulled {
  readonly manifest: string
  readonly files: ReadonlyMap<string, Buffer>
}

export interface PullOptions {
  /** Sent with all but the requests for parts, as a node's Ollama sends its ticket. */
  readonly headers?: Readonly<Record<string, string>>
  /** Instead of the global one. */
  readonly fetch?: typeof fetch
}

/** Smaller than Ollama's 100 MB, so that small files have several, too. */
const PART = 40_000

/**
 * Pulls as Ollama 0.33 does: HEAD for the size, GET without a range for the place, whose body it drops, and then the parts
 * from there at once, whatever their status.
 */
export async function pullLikeOllama(
  registry: string,
  name: string,
  how: PullOptions = {},
): Promise<Pulled> {
  const {headers = {}, fetch: ask = fetch} = how
  const base = `${registry}/v2/${name.includes('/') ? name : `library/${name}`}`
  const told = await ask(`${base}/manifests/latest`, {headers})
  if (!told.ok) throw new Error(`${told.status} ${await told.text()}`)
  const manifest = await told.text()
  const {config, layers} = JSON.parse(manifest) as Told
  const files = new Map<string, Buffer>()
  for (const {digest} of [config, ...layers])
    files.set(digest, await blobLikeOllama(`${base}/blobs/${digest}`, {headers, ask}))
  return {manifest, files}
}

async function blobLikeOllama(
  url: string,
  {headers, ask}: {readonly headers: Readonly<Record<string, string>>; readonly ask: typeof fetch},
): Promise<Buffer> {
  const head = await ask(url, {method: 'HEAD', headers})
  const total = Number(head.headers.get('content-length'))
  const stop = new AbortController()
  const direct = await ask(url, {headers, signal: stop.signal, redirect: 'manual'})
  const location = direct.headers.get('location')
  if (direct.status !== 200 || location === null) throw new Error(`no place: ${direct.status}`)
  stop.abort()
  const place = new URL(location, url)
  const parts = Array.from({length: Math.ceil(total / PART)}, async (_, at) => {
    const last = Math.min(total, (at + 1) * PART) - 1
    const part = await ask(place, {headers: {range: `bytes=${at * PART}-${last}`}})
    return Buffer.from(await part.arrayBuffer())
  })
  return Buffer.concat(await Promise.all(parts))
}

/**
 * Gets the token that a registry wants, as a node's Ollama does: it is told where by a 401, and signs that URL with its own
 * key. The status where none is given.
 */
export async function tokenLikeOllama(
  registry: string,
  name: string,
  signer: Pick<OllamaSigner, 'authorizePull'>,
  nowS = Math.floor(Date.now() / 1000),
): Promise<string | number> {
  const refused = await fetch(`${registry}/v2/library/${name}/manifests/latest`)
  const challenge = refused.headers.get('www-authenticate') ?? ''
  const part = (key: string) => new RegExp(`${key}="([^"]*)"`).exec(challenge)?.[1] ?? ''
  const url = new URL(part('realm'))
  url.search = `${new URLSearchParams({
    nonce: 'bm9uY2U',
    scope: part('scope'),
    service: part('service'),
    ts: `${nowS}`,
  })}`
  const headers = {authorization: signer.authorizePull(url.href)}
  const reply = await fetch(url, {headers})
  if (!reply.ok) return reply.status
  const {token} = (await reply.json()) as {token: string}
  return token
}
