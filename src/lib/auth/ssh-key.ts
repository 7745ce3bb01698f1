import {createPublicKey, hash, type KeyObject} from 'node:crypto'

const TYPE = 'ssh-ed25519'
/** How the key's blob begins: length and text of the type, length of the 32 bytes that follow (RFC 8709). */
const HEAD = Buffer.concat([
  Buffer.from([0, 0, 0, TYPE.length]),
  Buffer.from(TYPE),
  Buffer.from([0, 0, 0, 32]),
])

/** A line of a `.pub` file that was read, or what is wrong with it, as an end of the sentence "it ...". */
export type SshKeyLine =
  | {readonly kind: 'key'; readonly publicKey: string}
  | {readonly kind: 'problem'; readonly problem: string}

/** Reads what a `.pub` file holds: one line `ssh-ed25519 BASE64 [comment]`, beside empty ones and `#` comments. */
export function readSshKey(text: string): SshKeyLine {
  const problem = (what: string): SshKeyLine => ({kind: 'problem', problem: what})
  if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text))
    return problem('is a private key, which belongs nowhere else; its public half ends in .pub')
  const lines = text.split(/\r?\n/).filter((line) => !/^\s*(#|$)/.test(line))
  const [line] = lines
  if (line === undefined) return problem('holds no key')
  if (lines.length > 1) return problem(`holds ${lines.length} keys instead of one`)
  const [type, publicKey = ''] = line.trim().split(/[ \t]+/)
  if (type !== TYPE)
    return problem(
      /^(ssh-|ecdsa-|sk-)[A-Za-z0-9@.-]{1,60}$/.test(type ?? '')
        ? `is of the type ${type}; the ollama command signs by ${TYPE} alone`
        : `is no line that begins with ${TYPE}`,
    )
  return publicKeyOf(publicKey) ? {kind: 'key', publicKey} : problem('is damaged')
}

/** The key in a form that verifies; undefined if it is no ssh-ed25519 key in canonical base64. */
export function publicKeyOf(text: string): KeyObject | undefined {
  const blob = fromBase64(text, HEAD.length + 32)
  if (!blob?.subarray(0, HEAD.length).equals(HEAD)) return undefined
  const x = blob.subarray(HEAD.length).toString('base64url')
  return createPublicKey({key: {kty: 'OKP', crv: 'Ed25519', x}, format: 'jwk'})
}

/** What `ssh-keygen -l` calls the key: `SHA256:` and its hash. */
export function fingerprintOf(publicKey: string): string {
  return `SHA256:${hash('sha256', Buffer.from(publicKey, 'base64'), 'base64').replace(/=+$/, '')}`
}

/** Bytes of exactly that many, in the one spelling that base64 has for them; undefined otherwise. */
export function fromBase64(text: string, bytes: number): Buffer | undefined {
  // Before decoding: Node's decoder passes over whatever is not base64.
  if (text.length !== 4 * Math.ceil(bytes / 3)) return undefined
  const decoded = Buffer.from(text, 'base64')
  return decoded.length === bytes && decoded.toString('base64') === text ? decoded : undefined
}
