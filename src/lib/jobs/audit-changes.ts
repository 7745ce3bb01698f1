import type {ChangeRecord} from '../cluster/change-record.ts'
import {fitsGlob} from '../cluster/glob.ts'
import {readChanges} from '../state/change-log.ts'
import type {Tools} from './tools.ts'

export interface AuditOptions {
  /** Names or globs of nodes, also of those that are gone; none: all of them. */
  readonly nodes: readonly string[]
  /** Only what began in so many ms before now. */
  readonly sinceMs?: number | undefined
  /** Only what ended with another exit code than 0, or was broken off. */
  readonly failed: boolean
  /** Of all clusters. */
  readonly allClusters: boolean
  /** Only the last so many. */
  readonly limit: number
}

/** What was changed on machines, as the log of this machine says, oldest first. STATE_IO. */
export function auditChanges(
  tools: Pick<Tools, 'paths' | 'clusterName'>,
  options: AuditOptions,
): ChangeRecord[] {
  const {nodes, sinceMs, failed, allClusters, limit} = options
  const cluster = tools.clusterName()
  const from = sinceMs === undefined ? '' : new Date(Date.now() - sinceMs).toISOString()
  const wanted = readChanges(tools.paths).filter(
    (record) =>
      (allClusters || record.cluster === cluster) &&
      (nodes.length === 0 || nodes.some((name) => fitsGlob(name, record.node))) &&
      record.at >= from &&
      (!failed || record.exit !== 0),
  )
  return wanted.slice(-limit)
}
