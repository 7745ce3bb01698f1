import type {ChangeRecord} from '../cluster/change-record.ts'
import {table} from './output.ts'

/** A row per change, oldest first. */
export function describeChanges(changes: readonly ChangeRecord[]): Promise<string> {
  const rows = changes.map((change) => [
    change.at,
    change.who,
    change.by,
    change.node,
    change.what,
    {
      text: change.exit === null ? (change.error ?? 'unknown') : String(change.exit),
      tone: change.exit === 0 ? ('good' as const) : ('bad' as const),
    },
    `${(change.ms / 1000).toFixed(1)}s`,
  ])
  return table(['WHEN', 'WHO', 'BY', 'NODE', 'WHAT', 'EXIT', 'TOOK'], rows)
}
