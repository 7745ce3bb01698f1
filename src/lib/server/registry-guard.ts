import type {Identified, Keyring} from '../auth/keyring.ts'
import {readTicket} from '../auth/ticket.ts'
import type {Asking} from '../gateway/guard.ts'

/** Where a node's Ollama gets a ticket, by a signature of its own key. */
const TOKEN_PATH = '/v2/token'
/** Base64 of the hash (in hex) of the body, which is empty: what Ollama signs beside method and URL. */
const NO_BODY =
  'ZTNiMGM0NDI5OGZjMWMxNDlhZmJmNGM4OTk2ZmI5MjQyN2FlNDFlNDY0OWI5MzRjYTQ5NTk5MWI3ODUyYjg1NQ=='
const SCHEMES = ['http', 'https'] as const

/** True for what the registry of models answers. */
export const isRegistry = (target: string): boolean =>
  target.startsWith('/v2') && /^\/v2(\/|$|\?)/.test(target)

/**
 * Who asks the registry, by what a node's Ollama can send: a ticket, or where tickets are made its signature of that
 * URL. Undefined: neither, so that it may be known by other means.
 */
export function identifyPuller(
  request: Asking,
  {ring, secret, nowMs}: {readonly ring: Keyring; readonly secret: string; readonly nowMs: number},
): Identified | undefined {
  const header = request.header('authorization') ?? ''
  const query = new URLSearchParams(request.url.split('?')[1] ?? '')
  const given = /^Bearer (oxt-\S+)$/i.exec(header)?.[1] ?? query.get('ticket') ?? undefined
  if (given !== undefined) {
    const id = readTicket(secret, given, nowMs)
    return id === undefined ? {kind: 'refused', reason: 'stale'} : ring.byId(id, nowMs)
  }
  if (!request.url.startsWith(`${TOKEN_PATH}?`) || !/^[\w+/=]+:[\w+/=]+$/.test(header))
    return undefined
  const ts = Number(query.get('ts') ?? Number.NaN)
  // In front of us somebody may speak TLS; the client signed the URL as it has it.
  const tried = SCHEMES.map((scheme) => {
    const signed = `GET,${scheme}://${request.header('host')}${request.url},${NO_BODY}`
    return ring.identify({kind: 'signature', signed, ts, header}, nowMs)
  })
  return tried.find(({kind}) => kind === 'key') ?? tried[0]
}

/** Tells a node's Ollama where it gets a ticket. */
export function challengeFor(request: Asking, tls: boolean): string {
  const [, namespace, model] = /^\/v2\/([^/]+)\/([^/]+)\//.exec(request.url) ?? []
  const scope = namespace === undefined ? '' : `,scope="repository:${namespace}/${model}:pull"`
  const host = (request.header('host') ?? '').replace(/[^\w.:[\]-]/g, '')
  return `Bearer realm="${tls ? 'https' : 'http'}://${host}${TOKEN_PATH}",service="ollamax"${scope}`
}
