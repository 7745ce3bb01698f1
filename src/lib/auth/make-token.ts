import {hash, randomBytes} from 'node:crypto'

/** What all tokens begin with, so that people and scanners for leaked secrets know one when they see it. */
const PREFIX = 'ollamax_'

/** A new token of 256 random bits, and its hash for the key. The token is kept nowhere: whoever loses it needs a new key. */
export function makeToken(): {readonly token: string; readonly hash: string} {
  const token = PREFIX + randomBytes(32).toString('base64url')
  return {token, hash: hashToken(token)}
}

/** SHA-256, hex: what a key holds of its token. */
export function hashToken(token: string): string {
  return hash('sha256', token, 'hex')
}

/** A new id for a key: 48 random bits, hex. Public, and unlike any token. */
export function makeKeyId(): string {
  return randomBytes(6).toString('hex')
}
