import {hash, type KeyObject, timingSafeEqual, verify} from 'node:crypto'
import {fitsModelPattern, type ModelPattern, parseModelPattern} from '../cluster/model-pattern.ts'
import type {Credential} from './credentials.ts'
import type {Key} from './key.ts'
import {fromBase64, publicKeyOf} from './ssh-key.ts'

/** Who a client is, or why that is not believed. */
export type Identified =
  | {readonly kind: 'key'; readonly key: Key}
  | {
      readonly kind: 'refused'
      /**
       * missing: it says nothing. unknown: no key of ours. expired: ours, but its time is over. stale: signed
       * too long ago, or by a clock that is wrong. bad-signature: not made by that key for that request.
       */
      readonly reason: 'missing' | 'unknown' | 'expired' | 'stale' | 'bad-signature'
    }

/** How far the time of a signature may be from ours, either way. */
const WINDOW_MS = 5 * 60_000
/** Tokens that are known by sight; there are few at a time, and one that is not costs a hash. */
const MOST_KNOWN = 256

/**
 * The keys of a cluster, made ready to be asked for on every request. Does not change: after a change of
 * the keys a new one is made. Of the tokens it has the hashes; those that were good lately it knows by sight, and they
 * are kept nowhere but in its memory.
 */
export class Keyring {
  /** True: there is no key, so `identify` refuses everybody. Whether that means "open to all" is not decided here. */
  readonly empty: boolean
  /** What it was made of. */
  readonly keys: readonly Key[]
  readonly #byHash = new Map<string, {readonly key: Key; readonly digest: Buffer}>()
  readonly #byPublicKey = new Map<string, {readonly key: Key; readonly verifier: KeyObject}>()
  readonly #models = new Map<string, readonly ModelPattern[]>()
  /**
   * Good ones alone. A hash takes a twentieth of all that a short request costs. Looking one up tells a stranger nothing: it is
   * compared only with what has the same hash, by a seed that changes with each process.
   */
  readonly #bySight = new Map<string, Key>()

  constructor(keys: readonly Key[]) {
    this.empty = keys.length === 0
    this.keys = keys
    for (const key of keys) {
      if (key.models)
        this.#models.set(
          key.id,
          key.models.flatMap((text) => parseModelPattern(text) ?? []),
        )
      if (key.kind === 'token')
        this.#byHash.set(key.hash, {key, digest: Buffer.from(key.hash, 'hex')})
      else {
        const verifier = publicKeyOf(key.publicKey)
        if (verifier) this.#byPublicKey.set(key.publicKey, {key, verifier})
      }
    }
  }

  /**
   * Whose credential it is. `nowMs`: wall time, ms since the epoch. A token costs one look-up, and one hash at first;
   * a signature is verified each time.
   *
   * A signature covers method, path and time, not the body: that is how the `ollama` command signs. Whoever
   * reads one on the way can send it again with another body until its time is over, so remembering those
   * that were used would protect little. TLS in front of the gateway does.
   */
  identify(credential: Credential, nowMs: number): Identified {
    switch (credential.kind) {
      case 'none':
        return refused('missing')
      case 'token':
        return this.#byToken(credential.token, nowMs)
      case 'signature':
        return this.#bySignature(credential, nowMs)
    }
  }

  /** The key with this id, if it is still good. */
  byId(id: string, nowMs: number): Identified {
    const key = this.keys.find((one) => one.id === id)
    return key ? inTime(key, nowMs) : refused('unknown')
  }

  #byToken(token: string, nowMs: number): Identified {
    const known = this.#bySight.get(token)
    if (known) return inTime(known, nowMs)
    const digest = hash('sha256', token, 'buffer')
    // The look-up's time may tell how much of a hash is right, and nobody can make a token to a hash they chose.
    const found = this.#byHash.get(digest.toString('hex'))
    if (!found || !timingSafeEqual(found.digest, digest)) return refused('unknown')
    if (this.#bySight.size >= MOST_KNOWN) this.#bySight.clear()
    this.#bySight.set(token, found.key)
    return inTime(found.key, nowMs)
  }

  #bySignature(
    {signed, ts, header}: Extract<Credential, {kind: 'signature'}>,
    nowMs: number,
  ): Identified {
    const colon = header.indexOf(':')
    const found = this.#byPublicKey.get(header.slice(0, colon))
    if (!found) return refused('unknown')
    // Cheap, so before the expensive part. Written so that NaN is stale, too.
    if (!(Math.abs(nowMs - ts * 1000) <= WINDOW_MS)) return refused('stale')
    const signature = fromBase64(header.slice(colon + 1), 64)
    if (!signature || !verify(null, Buffer.from(signed), found.verifier, signature))
      return refused('bad-signature')
    return inTime(found.key, nowMs)
  }

  /** Whether a key may use a model, by any name that Ollama takes for it. What is no name may be used by keys for all models only. */
  mayUse(key: Key, model: string): boolean {
    if (!key.models) return true
    return this.#models.get(key.id)?.some((pattern) => fitsModelPattern(pattern, model)) ?? false
  }
}

const refused = (reason: Extract<Identified, {kind: 'refused'}>['reason']): Identified => ({
  kind: 'refused',
  reason,
})

function inTime(key: Key, nowMs: number): Identified {
  const over = key.expiresAtMs !== undefined && !(nowMs < key.expiresAtMs)
  return over ? refused('expired') : {kind: 'key', key}
}
