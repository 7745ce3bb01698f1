import {createHash, generateKeyPairSync, sign} from 'node:crypto'

/** Somebody with an ssh-ed25519 key who signs as the `ollama` command does with OLLAMA_AUTH=1. */
export interface OllamaSigner {
  /** Base64 as in a `.pub` file, without type and comment. */
  readonly publicKey: string
  /** The Authorization header for a request to `path?ts=N`. */
  authorize(method: string, path: string, ts: number): string
  /** The Authorization header with which a node's Ollama asks a registry for a token at this URL. */
  authorizePull(url: string): string
}

export function ollamaSigner(): OllamaSigner {
  const pair = generateKeyPairSync('ed25519')
  const {x = ''} = pair.publicKey.export({format: 'jwk'})
  const type = Buffer.from('\0\0\0\x0bssh-ed25519\0\0\0\x20')
  const publicKey = Buffer.concat([type, Buffer.from(x, 'base64url')]).toString('base64')
  const signed = (text: string) =>
    `${publicKey}:${sign(null, Buffer.from(text), pair.privateKey).toString('base64')}`
  const empty = Buffer.from(createHash('sha256').digest('hex')).toString('base64')
  return {
    publicKey,
    authorize: (method, path, ts) => signed(`${method},${path}?ts=${ts}`),
    authorizePull: (url) => signed(`GET,${url},${empty}`),
  }
}
