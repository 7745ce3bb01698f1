/** How a client says who it is. */
export type Credential =
  | {readonly kind: 'none'}
  | {readonly kind: 'token'; readonly token: string}
  /** As the `ollama` command signs with OLLAMA_AUTH=1. */
  | {
      readonly kind: 'signature'
      /** The text that was signed: `METHOD,/path?ts=N`. */
      readonly signed: string
      /** When it says it was signed, seconds since the epoch. */
      readonly ts: number
      /** The Authorization header: `<base64 key>:<base64 signature>`, as it came. */
      readonly header: string
    }

/** The head of a request as it came over the wire. */
export interface RequestHead {
  readonly method: string
  /** The request target: path and query. */
  readonly target: string
  /** Names and values in turns, repeated ones too, as Node's `rawHeaders`. */
  readonly rawHeaders: readonly string[]
}

/** What was found in the head. */
export type Found =
  | {
      readonly kind: 'found'
      readonly credential: Credential
      /** The target without what belonged to the credential: for routing, for the node, and for logs. */
      readonly target: string
    }
  | {
      readonly kind: 'refused'
      /**
       * several: two credentials that differ, so nobody can say which one the client means to be judged by.
       * malformed: an Authorization header of another kind, or a signature without exactly one `ts`.
       * too-long: longer than any that we could know.
       */
      readonly reason: 'several' | 'malformed' | 'too-long'
    }

/** Characters of the longest token and the longest header that are looked at; ours have 51 and 157. */
const MAX_TOKEN = 256
const MAX_HEADER = 512

/**
 * Finds who a client says it is: `Authorization: Bearer TOKEN`, `x-api-key: TOKEN`, a path that begins
 * with `/t/TOKEN/` (the `ollama` command can send no header), or that command's own signature. The same
 * token may come twice; two that differ are refused. An empty one is none. Whether the credential is any
 * good is the keyring's to say. Never log `head.target`: it may hold a token; log the target found.
 */
export function findCredential({method, target, rawHeaders}: RequestHead): Found {
  let authorization: string | undefined
  let token: string | undefined
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? ''
    // By length first: this runs for every header of every request.
    if (name.length === 13 && name.toLowerCase() === 'authorization') {
      const value = (rawHeaders[at + 1] ?? '').trim()
      if (authorization !== undefined && authorization !== value) return refused('several')
      authorization = value
    } else if (name.length === 9 && name.toLowerCase() === 'x-api-key') {
      const value = (rawHeaders[at + 1] ?? '').trim()
      if (token !== undefined && token !== value) return refused('several')
      token = value
    }
  }
  const path = target.startsWith('/t/') ? splitPrefix(target) : undefined
  if (path) {
    if (token && token !== path.token) return refused('several')
    token = path.token
  }
  const rest = path?.target ?? target
  if (!authorization) return found(token, rest)
  if (authorization.length > MAX_HEADER) return refused('too-long')
  const bearer = /^bearer(?:[ \t]+(\S+))?$/i.exec(authorization)
  if (bearer) {
    if (token && bearer[1] && token !== bearer[1]) return refused('several')
    return found(bearer[1] ?? token, rest)
  }
  if (/[ \t]/.test(authorization) || !authorization.includes(':')) return refused('malformed')
  return token ? refused('several') : signature(method, rest, authorization)
}

const refused = (reason: 'several' | 'malformed' | 'too-long'): Found => ({kind: 'refused', reason})

function found(token: string | undefined, target: string): Found {
  if (!token) return {kind: 'found', credential: {kind: 'none'}, target}
  if (token.length > MAX_TOKEN) return refused('too-long')
  return {kind: 'found', credential: {kind: 'token', token}, target}
}

/** `/t/TOKEN/api/tags` -> TOKEN and `/api/tags`; undefined where no token stands. */
function splitPrefix(
  target: string,
): {readonly token: string; readonly target: string} | undefined {
  const end = target.slice(3).search(/[/?]/)
  const token = end < 0 ? target.slice(3) : target.slice(3, 3 + end)
  if (token === '') return undefined
  const rest = end < 0 ? '' : target.slice(3 + end)
  return {token, target: rest.startsWith('/') ? rest : `/${rest}`}
}

/** The command signs method, path and time alone, whatever else stands in the query. */
function signature(method: string, target: string, header: string): Found {
  const at = target.indexOf('?')
  const path = at < 0 ? target : target.slice(0, at)
  const query = at < 0 ? [] : target.slice(at + 1).split('&')
  const times = query.filter((part) => part.startsWith('ts='))
  const ts = /^ts=(\d{1,12})$/.exec(times[0] ?? '')?.[1]
  if (times.length !== 1 || ts === undefined) return refused('malformed')
  const others = query.filter((part) => !part.startsWith('ts=')).join('&')
  return {
    kind: 'found',
    credential: {kind: 'signature', signed: `${method},${path}?ts=${ts}`, ts: Number(ts), header},
    target: others ? `${path}?${others}` : path,
  }
}
