import {isIP} from 'node:net'
import type {Asking} from './guard.ts'

/** Which pages in a browser may use the gateway; a page elsewhere could otherwise use what only this machine may. */
export interface OriginPolicy {
  /** Origins beside those of this machine, like `https://chat.example.com`; `*` = all. */
  readonly origins: readonly string[]
  /** The gateway listens on loopback, so a foreign Host is a name that somebody else made point here. */
  readonly loopback: boolean
  /** This machine's own name. */
  readonly hostname: string
}

/** As Ollama has it: pages of this machine, and the shells of desktop programs. */
const LOCAL_HOSTS = new Set(['localhost', '127.0.0.1', '0.0.0.0', '[::1]'])
const LOCAL_SCHEMES = /^(app|file|tauri|vscode-webview|vscode-file):\/\//i
const LOCAL_DOMAINS = /\.(localhost|local|internal)$/

const ALLOWED_HEADERS =
  'Authorization, Content-Type, User-Agent, Accept, X-Requested-With, X-Api-Key, OpenAI-Beta, ' +
  'Anthropic-Version, Anthropic-Beta, X-Ollamax-Session, X-Ollamax-Priority, X-Ollamax-Node, ' +
  'X-Stainless-Lang, X-Stainless-Package-Version, X-Stainless-Os, X-Stainless-Arch, ' +
  'X-Stainless-Retry-Count, X-Stainless-Runtime, X-Stainless-Runtime-Version, ' +
  'X-Stainless-Async, X-Stainless-Helper-Method, X-Stainless-Poll-Helper, ' +
  'X-Stainless-Custom-Poll-Interval, X-Stainless-Timeout'
const EXPOSED_HEADERS =
  'X-Ollamax-Node, X-Ollamax-Request-Id, X-Ollamax-Attempts, X-Ollamax-Queue-Ms, X-Ollamax-Reason'

/** Headers for an answer to a page that may have it; undefined: this page, or this Host, may not. */
export function originHeaders(
  request: Pick<Asking, 'header'>,
  policy: OriginPolicy,
): readonly string[] | undefined {
  if (policy.loopback && !isOwnHost(request.header('host'), policy.hostname)) return undefined
  const origin = request.header('origin')
  if (origin === undefined) return NONE
  if (!isAllowed(origin, policy.origins)) return undefined
  return [
    'Access-Control-Allow-Origin',
    origin,
    'Vary',
    'Origin',
    'Access-Control-Expose-Headers',
    EXPOSED_HEADERS,
  ]
}

const NONE: readonly string[] = []

/** For the question that a browser asks before the request itself. */
export const PREFLIGHT: readonly string[] = [
  'Access-Control-Allow-Methods',
  'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS',
  'Access-Control-Allow-Headers',
  ALLOWED_HEADERS,
  'Access-Control-Max-Age',
  '43200',
]

function isAllowed(origin: string, origins: readonly string[]): boolean {
  if (origins.includes('*') || origins.includes(origin)) return true
  if (LOCAL_SCHEMES.test(origin)) return true
  if (!URL.canParse(origin)) return false
  const {protocol, hostname} = new URL(origin)
  return (protocol === 'http:' || protocol === 'https:') && LOCAL_HOSTS.has(hostname)
}

/** The answer of last time: nearly all requests come with the same Host. */
let last: {readonly host: string; readonly own: string; readonly is: boolean} | undefined

function isOwnHost(host: string | undefined, own: string): boolean {
  // HTTP/1.0 sends none; no browser does so.
  if (!host) return true
  if (last?.host !== host || last.own !== own) last = {host, own, is: namesUs(host, own)}
  return last.is
}

function namesUs(host: string, own: string): boolean {
  const name = host.replace(/:\d+$/, '').toLowerCase()
  if (name === 'localhost' || name === own.toLowerCase()) return true
  if (isIP(name.replace(/^\[|\]$/g, '')) !== 0) return true
  return LOCAL_DOMAINS.test(name)
}
