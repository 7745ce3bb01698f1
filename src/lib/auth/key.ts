import type {Priority} from '../cluster/priority.ts'

/** What a key allows. */
export interface KeyLimits {
  /** From this moment on it is refused; absent: never. Wall time, ms since the epoch. */
  readonly expiresAtMs?: number
  /** Models it may use: names, or globs as `parseModelPattern` reads them. Absent: all. */
  readonly models?: readonly string[]
  /** Requests per minute, and as many at once; absent: no limit. */
  readonly ratePerMinute?: number
  /** Its share beside the other keys' when requests have to wait. Default 1. */
  readonly weight?: number
  /** Default normal. */
  readonly priority?: Priority
  /** Answers cut off on one node may go on from another. Default false. */
  readonly allowContinue?: boolean
  /**
   * It may see how the gateway decides and how its nodes are, with their addresses and errors, and what became of the
   * requests of others. Default false: who uses the gateway need not know what stands behind it.
   */
  readonly admin?: boolean
}

interface KeyCommon extends KeyLimits {
  /** Short and public: what logs, metrics and shares of the queue name. Never used again. */
  readonly id: string
  /** Unique in its cluster, for people. */
  readonly name: string
  /** Wall time, ms since the epoch. */
  readonly createdAtMs: number
}

/** A key whose holder sends a secret text. */
export interface TokenKey extends KeyCommon {
  readonly kind: 'token'
  /**
   * SHA-256 of the token, hex. A fast hash is right here: the token is 256 random bits, which nobody
   * finds by trying, however fast. Slow hashes are for passwords that people choose.
   */
  readonly hash: string
}

/** A key whose holder signs with the private half, as the `ollama` command does with OLLAMA_AUTH=1. */
export interface SshKey extends KeyCommon {
  readonly kind: 'ssh'
  /** The ssh-ed25519 public key as it stands in a `.pub` file, base64 without type and comment. */
  readonly publicKey: string
}

/** Somebody who may use the gateway. Holds no secret: neither a token nor a signature can be made from it. */
export type Key = TokenKey | SshKey
