import {findCredential} from '../auth/credentials.ts'
import type {Key} from '../auth/key.ts'
import type {Identified, Keyring} from '../auth/keyring.ts'
import type {Taken} from '../auth/rate-limit.ts'
import {makeTicket} from '../auth/ticket.ts'
import type {Problem} from '../gateway/dialects/problem.ts'
import {type Admitted, type Asking, type Guard, openGuard, type Refused} from '../gateway/guard.ts'
import {challengeFor, identifyPuller, isRegistry} from './registry-guard.ts'

/** Counts in this process, or asks the one that counts for all. */
export interface Limiter {
  take(key: Key, nowMs: number): Taken | Promise<Taken>
}

export interface KeyGuardOptions {
  /** The keys as they are now. */
  readonly keyring: () => Keyring
  readonly limiter: Limiter
  /** False: as long as there is no key, everybody may come in. */
  readonly required: () => boolean
  /** Seals what nodes that pull show instead of a key. */
  readonly ticketSecret: string
  readonly tls: boolean
}

const WHY = {
  missing: 'a key is needed: Authorization: Bearer KEY, x-api-key, or the path prefix /t/KEY',
  unknown: 'this key is not known here',
  expired: 'this key has expired',
  stale: 'the signature is too old, or a clock is wrong',
  'bad-signature': 'the signature does not fit the request',
  several: 'there are two keys in this request',
  malformed: 'the Authorization header is of another kind than Bearer',
  'too-long': 'the key is longer than any that is known here',
} as const

/** Lets in whoever has a key. A key's rate counts every request but those for health. */
export function keyGuard(options: KeyGuardOptions): Guard {
  const {keyring, limiter, required, ticketSecret: secret, tls} = options
  return (request, nowMs) => {
    if (!required()) return openGuard(request)
    const ring = keyring()
    const puller = isRegistry(request.url)
    const known = puller ? identifyPuller(request, {ring, secret, nowMs}) : undefined
    const asker = known ? {target: request.url, ...known} : identifyClient(request, ring, nowMs)
    const {target} = asker
    if (asker.kind === 'refused') {
      const message = WHY[asker.reason]
      // A node's Ollama asks for a ticket where it is told so.
      const problem = puller
        ? {status: 401, message, authenticate: challengeFor(request, tls)}
        : unauthorized(request, message)
      return refused(target, problem)
    }
    const {key} = asker
    const plain = admitted(target, key, ring)
    if (isHealth(request)) return plain
    const may = isRegistry(target) ? {...plain, ticket: makeTicket(secret, key.id, nowMs)} : plain
    const decide = (taken: Taken) =>
      taken.kind === 'ok' ? may : refused(target, tooMany(key, taken.retryAfterMs))
    const taken = limiter.take(key, nowMs)
    return taken instanceof Promise
      ? {kind: 'pending', target, decided: taken.then(decide)}
      : decide(taken)
  }
}

type Asker = {readonly target: string} & (
  | Extract<Identified, {kind: 'key'}>
  | {readonly kind: 'refused'; readonly reason: keyof typeof WHY}
)

function identifyClient(request: Asking, ring: Keyring, nowMs: number): Asker {
  const found = findCredential({
    method: request.method,
    target: request.url,
    rawHeaders: request.rawHeaders,
  })
  // No path: what stands in it may be a token, and the root is open to all.
  if (found.kind === 'refused') return {...found, target: ''}
  return {...ring.identify(found.credential, nowMs), target: found.target}
}

function admitted(target: string, key: Key, ring: Keyring): Admitted {
  return {
    kind: 'admitted',
    target,
    tenant: key.id,
    weight: key.weight ?? 1,
    priority: key.priority ?? 'normal',
    continues: key.allowContinue ?? false,
    admin: key.admin ?? false,
    everyModel: key.models === undefined,
    mayUse: (model) => ring.mayUse(key, model),
  }
}

const refused = (target: string, problem: Problem): Refused => ({kind: 'refused', target, problem})

const tooMany = ({name, ratePerMinute}: Key, retryAfterMs: number): Problem => ({
  status: 429,
  message: `key ${name} may send ${ratePerMinute} requests a minute`,
  retryAfterMs,
})

/**
 * 401, and 403 for the `ollama` command: that one takes 401 for a demand to sign in at ollama.com, and shows
 * the words of everything else.
 */
const unauthorized = (request: Asking, message: string): Problem => ({
  status: request.header('user-agent')?.startsWith('ollama/') ? 403 : 401,
  message,
})

const isHealth = ({url}: Asking) => url === '/healthz' || url === '/readyz'
