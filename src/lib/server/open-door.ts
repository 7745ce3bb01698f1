import {hostname} from 'node:os'
import type {Keyring} from '../auth/keyring.ts'
import {isLoopback} from '../cluster/loopback.ts'
import {PrefixHasher} from '../gateway/body/prefix.ts'
import {DEFAULT_LIMITS, type Gateway, openGateway} from '../gateway/gateway.ts'
import type {Floor} from '../gateway/serve-exchange.ts'
import type {Tracing} from '../trace/tracing.ts'
import {keyGuard, type Limiter} from './key-guard.ts'
import type {ListenAddress} from './listen-address.ts'

/** How the address is to be. */
export interface DoorSettings {
  readonly listen: ListenAddress
  readonly tls?: {readonly cert: Buffer; readonly key: Buffer}
  /** Of web pages elsewhere that may use the gateway; `*` = all. */
  readonly origins: readonly string[]
  readonly allowCloud: boolean
}

/** The keys as they are now. */
export interface KeysNow {
  readonly ring: Keyring
  /** False: as long as there is no key, everybody may come in. */
  readonly wanted: boolean
}

/** What answers behind the address: all in this process, or some of it asked of another one. */
export interface DoorParts
  extends Pick<
    Floor,
    | 'fleet'
    | 'hub'
    | 'insight'
    | 'live'
    | 'blobs'
    | 'registry'
    | 'metrics'
    | 'ended'
    | 'bug'
    | 'aliases'
  > {
  readonly keys: () => KeysNow
  readonly limiter: Limiter
  /** The same in all processes that answer. */
  readonly ticketSecret: string
  readonly tracing: Tracing
}

/** Listens. BAD_INPUT if that cannot be. */
export function openDoor(settings: DoorSettings, parts: DoorParts): Promise<Gateway> {
  const {listen, tls, origins, allowCloud} = settings
  const {keys, limiter, ticketSecret, tracing, ...floor} = parts
  return openGateway({
    ...listen,
    ...(tls ? {tls} : {}),
    ...floor,
    guard: keyGuard({
      keyring: () => keys().ring,
      limiter,
      required: () => keys().wanted,
      ticketSecret,
      tls: tls !== undefined,
    }),
    hasher: new PrefixHasher(),
    limits: DEFAULT_LIMITS,
    origin: {origins, loopback: isLoopback(listen.host), hostname: hostname()},
    allowCloud,
    ...(tracing.on ? {startTrace: tracing.startTrace} : {}),
  })
}
