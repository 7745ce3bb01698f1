import {deployDirectory, heldByHand, holdByHand, letGo} from '../state/deploy-lock.ts'
import {breakLock, lockHolder, withLock} from '../state/lock.ts'
import {operatorName} from '../state/operator.ts'
import {confirmed} from './confirm.ts'
import type {Tools} from './tools.ts'
import {handHeld} from './with-deploy-lock.ts'

/** Whether the nodes of a cluster may be changed from this machine now. */
export interface DeployLockStatus {
  readonly cluster: string
  readonly held: boolean
  /** `hand`: by `lock acquire`; `process`: by a command that runs. */
  readonly by?: 'hand' | 'process'
  readonly who?: string
  readonly reason?: string
  /** ISO 8601. */
  readonly since?: string
  /** Of the process that holds it. */
  readonly pid?: number
}

type LockTools = Pick<Tools, 'paths' | 'clusterName' | 'signal' | 'env' | 'ask'>

/** Who holds the deploy lock. STATE_IO. */
export async function deployLockStatus(
  tools: Pick<LockTools, 'paths' | 'clusterName'>,
): Promise<DeployLockStatus> {
  const cluster = tools.clusterName()
  const directory = deployDirectory(tools.paths, cluster)
  const hand = heldByHand(directory)
  if (hand) return {cluster, held: true, by: 'hand', ...hand}
  const holder = await lockHolder(directory)
  if (!holder) return {cluster, held: false}
  const [, who = 'unknown', reason = holder.why] = /^([^\s:]+): (.*)$/s.exec(holder.why) ?? []
  const {pid, since} = holder
  return {cluster, held: true, by: 'process', who, reason, since, ...(pid > 0 ? {pid} : {})}
}

/** Takes the deploy lock until it is released. LOCKED names who has it. */
export async function acquireDeployLock(
  tools: LockTools,
  {reason}: {readonly reason: string},
): Promise<DeployLockStatus> {
  const cluster = tools.clusterName()
  const directory = deployDirectory(tools.paths, cluster)
  const who = operatorName(tools.env)
  await withLock(
    directory,
    async () => {
      const held = heldByHand(directory)
      if (held) throw handHeld(cluster, held)
      await holdByHand(directory, {who, reason, since: new Date().toISOString()})
    },
    {signal: tools.signal, why: `${who}: lock acquire`, timeoutMs: 2000},
  )
  return deployLockStatus(tools)
}

/**
 * Takes the deploy lock away from whoever has it, and tells who that was. A process that runs goes on without it,
 * so that is asked about: CONFIRM_NEEDED, NOT_CONFIRMED.
 */
export async function releaseDeployLock(
  tools: LockTools,
  {yes}: {readonly yes: boolean},
): Promise<DeployLockStatus> {
  const before = await deployLockStatus(tools)
  const directory = deployDirectory(tools.paths, before.cluster)
  if (before.by === 'hand') await letGo(directory)
  const holder = await lockHolder(directory)
  if (holder) {
    const process = `${holder.why || 'a process'} (process ${holder.pid})`
    const question = `Take the deploy lock from ${process}? It goes on without it.`
    await confirmed(tools, yes, question)
    await breakLock(directory, holder)
  }
  return before
}
