import type {Keyring} from '../auth/keyring.ts'
import {isLoopback} from '../cluster/loopback.ts'
import {OllamaxError} from '../errors.ts'
import type {ListenAddress} from './listen-address.ts'

export interface KeysNeededOptions {
  readonly listen: ListenAddress
  /** Listens beyond loopback although nobody needs a key. */
  readonly openToNetwork: boolean
  /** A cluster file at any place, instead of the chosen cluster. */
  readonly config?: string | undefined
}

/**
 * Whether a key is needed. Everybody who can reach the address could use the nodes, and that must be wanted: BAD_INPUT
 * beyond loopback without keys.
 */
export function keysNeeded(
  {listen, openToNetwork, config}: KeysNeededOptions,
  keyring: Pick<Keyring, 'empty'>,
  source: {readonly name: string; readonly keysFile: string},
): boolean {
  if (!keyring.empty) return true
  if (isLoopback(listen.host) || openToNetwork) return false
  throw new OllamaxError(
    'BAD_INPUT',
    `${listen.host} can be reached from other machines, and no key is asked for`,
    {
      suggestions: [
        config === undefined
          ? `ollamax key create NAME --cluster ${source.name}`
          : `put the keys of a cluster of yours (ollamax key create) there: ${source.keysFile}`,
        'listen on loopback: --listen 127.0.0.1:11435',
        '--open-to-network lets everybody in who can reach it',
      ],
    },
  )
}
