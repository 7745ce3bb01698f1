import type {ClientRequest} from './listener/client-request.ts'

const ABSOLUTE = /^https?:\/\/([^/?#]*)([^#]*)/i

/**
 * Brings a request whose target is a whole URL, as those that take us for a proxy write it, into the usual form: `url`
 * becomes path and query, and the URL's authority the Host, whatever Host came beside it (RFC 9112, 3.2.2). False: the
 * URL names no host, or an account there.
 */
export function toOriginForm(request: ClientRequest): boolean {
  const {url} = request
  // The usual one costs nothing more.
  if (url.startsWith('/')) return true
  const found = ABSOLUTE.exec(url)
  if (!found) return true
  const [, authority = '', rest = ''] = found
  if (authority === '' || authority.includes('@')) return false
  request.redirect(rest.startsWith('/') ? rest : `/${rest}`, authority)
  return true
}
