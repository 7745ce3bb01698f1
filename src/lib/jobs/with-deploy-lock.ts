import {OllamaxError} from '../errors.ts'
import {deployDirectory, type HeldByHand, heldByHand} from '../state/deploy-lock.ts'
import {withLock} from '../state/lock.ts'
import {operatorName} from '../state/operator.ts'
import type {Tools} from './tools.ts'

export interface DeployLockOptions {
  /** What the holder is about to do, for those who find it taken: `upgrade of gpu-1, gpu-2 to 0.34.0`. */
  readonly reason: string
  /** Default: the one that the tools name. */
  readonly cluster?: string | undefined
  /** Default: the tools' own. */
  readonly signal?: AbortSignal | undefined
  /** Longest wait for a process that holds it; default 2000. One that is held by hand is not waited for. */
  readonly timeoutMs?: number | undefined
}

/** Long enough for one who only looks, too short to be taken for a hang. */
const WAIT_MS = 2000

/**
 * Runs `work` while nobody else changes the nodes of this cluster from this machine. There is one such lock
 * per cluster; a holder that died is replaced. LOCKED names the holder, the reason and since when.
 */
export async function withDeployLock<T>(
  tools: Pick<Tools, 'paths' | 'clusterName' | 'signal' | 'env'>,
  options: DeployLockOptions,
  work: () => Promise<T>,
): Promise<T> {
  const {reason, signal = tools.signal, timeoutMs = WAIT_MS} = options
  const {cluster = tools.clusterName()} = options
  const directory = deployDirectory(tools.paths, cluster)
  const why = `${operatorName(tools.env)}: ${reason}`
  let begun = false
  try {
    return await withLock(
      directory,
      async () => {
        const held = heldByHand(directory)
        if (held) throw handHeld(cluster, held)
        begun = true
        return work()
      },
      {signal, why, timeoutMs},
    )
  } catch (error) {
    // What the work itself has run into is its own affair.
    if (begun || !OllamaxError.is(error, 'LOCKED') || error.details?.by === 'hand') throw error
    throw processHeld(cluster, error)
  }
}

/** LOCKED for a lock that was taken by `lock acquire`. */
export function handHeld(cluster: string, {who, reason, since}: HeldByHand): OllamaxError {
  return new OllamaxError(
    'LOCKED',
    `the deploy lock of the cluster ${cluster} is held by ${who} since ${since}: ${reason}`,
    {
      suggestions: ['wait until it is released', 'take it away: ollamax lock release'],
      details: {by: 'hand', who, reason, since},
    },
  )
}

function processHeld(cluster: string, error: OllamaxError): OllamaxError {
  return new OllamaxError(
    'LOCKED',
    `the deploy lock of the cluster ${cluster} is taken: ${error.message}`,
    {
      suggestions: [
        'wait until that has ended, then run this again',
        'see it: ollamax lock status',
        'if it cannot be running any more: ollamax lock release',
      ],
      details: {...error.details, by: 'process'},
      cause: error,
    },
  )
}
