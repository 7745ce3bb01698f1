import {generateKeyPairSync, sign} from 'node:crypto'

/** Somebody with an ssh-ed25519 key who signs as the `ollama` command does with OLLAMA_AUTH=1. */
export interface OllamaSigner {
  /** Base64 as in a `.pub` file, without type and comment. */
  readonly publicKey: string
  /** The Authorization header for a request to `path?ts=N`. */
  authorize(method: string, path: string, ts: number): string
}

export function ollamaSigner(): OllamaSigner {
  const pair = generateKeyPairSync('ed25519')
  const {x = ''} = pair.publicKey.export({format: 'jwk'})
  const type = Buffer.from('\0\0\0\x0bssh-ed25519\0\0\0\x20')
  const publicKey = Buffer.concat([type, Buffer.from(x, 'base64url')]).toString('base64')
  return {
    publicKey,
    authorize(method, path, ts) {
      const signature = sign(null, Buffer.from(`${method},${path}?ts=${ts}`), pair.privateKey)
      return `${publicKey}:${signature.toString('base64')}`
    },
  }
}
