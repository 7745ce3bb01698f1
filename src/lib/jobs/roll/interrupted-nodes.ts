import {deployDirectory} from '../../state/deploy-lock.ts'
import {lockHolder} from '../../state/lock.ts'
import type {Tools} from '../tools.ts'
import {openJournal, type RollEntry} from './journal.ts'

/**
 * The nodes that a change which is no longer under way has left in its middle, see `RollJournal`. What another process
 * changes just now is none of them.
 */
export async function interruptedNodes(
  tools: Pick<Tools, 'paths' | 'clusterName'>,
): Promise<ReadonlyMap<string, RollEntry>> {
  const directory = deployDirectory(tools.paths, tools.clusterName())
  const holder = await lockHolder(directory)
  if (holder && holder.pid !== process.pid) return new Map()
  return openJournal(directory).all()
}
