import type {DeployLockStatus} from '../jobs/control-lock.ts'
import type {NodeLock} from '../jobs/node-locks.ts'

/** One line: who holds the deploy lock, or that nobody does. */
export function describeLock(status: DeployLockStatus): string {
  const lock = `the deploy lock of ${status.cluster}`
  return status.held ? `${lock} is held by ${holderOf(status)}` : `${lock} is free`
}

/** One line, after it was taken away from whoever had it. */
export function describeReleased(before: DeployLockStatus): string {
  const lock = `the deploy lock of ${before.cluster}`
  return before.held ? `${lock} is free; it was held by ${holderOf(before)}` : `${lock} was free`
}

/** One line: who has the lock of a machine, or had it. */
export function describeNodeLock(
  {node, held, why, since, error}: NodeLock,
  verb: 'is' | 'was' = 'is',
): string {
  if (error !== undefined) return `${node}: unknown: ${error}`
  return held ? `${node} ${verb} held by ${why}, since ${since}` : `${node} ${verb} free`
}

function holderOf({who, reason, since, pid}: DeployLockStatus): string {
  const process = pid === undefined ? '' : ` (process ${pid})`
  return `${who}${process} since ${since}: ${reason}`
}
