import {join} from 'node:path'
import type {FleetEvent} from '../cluster/fleet-event.ts'
import {appendTo, type BoundedLog, readAll} from './bounded-log.ts'
import type {Paths} from './paths.ts'

/** `data/events/CLUSTER/events.jsonl`, and one file of a mebibyte that was put aside. */
function logOf(paths: Pick<Paths, 'data'>, cluster: string): BoundedLog {
  const directory = join(paths.data, 'events', cluster)
  return {directory, name: 'events', fullBytes: 2 ** 20, kept: 1}
}

/** Adds what the reconciler of a cluster saw or did. STATE_IO. */
export function appendEvent(paths: Pick<Paths, 'data'>, cluster: string, event: FleetEvent): void {
  appendTo(logOf(paths, cluster), event)
}

/** What is on record of a cluster, oldest first. STATE_IO. */
export function readEvents(paths: Pick<Paths, 'data'>, cluster: string): FleetEvent[] {
  return readAll(logOf(paths, cluster)).flatMap((record) =>
    typeof record.at === 'string' && typeof record.event === 'string'
      ? [record as unknown as FleetEvent]
      : [],
  )
}
