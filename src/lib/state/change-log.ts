import {join} from 'node:path'
import type {ChangeRecord} from '../cluster/change-record.ts'
import {appendTo, type BoundedLog, readAll} from './bounded-log.ts'
import type {Paths} from './paths.ts'

/** A file of the log is put aside when it has this many bytes; some 16,000 commands. */
const FULL_BYTES = 4 * 2 ** 20

/** Where the log of changes lies; it may not exist yet. */
export const changeLogDirectory = (paths: Pick<Paths, 'data'>) => join(paths.data, 'changes')

const logOf = (paths: Pick<Paths, 'data'>, fullBytes: number): BoundedLog => {
  const directory = changeLogDirectory(paths)
  return {directory, name: 'changes', fullBytes, kept: 4}
}

/** Adds a line to the log of changes. At 4 MiB its file is put aside, and the oldest beyond four goes. STATE_IO. */
export function appendChange(
  paths: Pick<Paths, 'data'>,
  record: ChangeRecord,
  fullBytes = FULL_BYTES,
): void {
  appendTo(logOf(paths, fullBytes), record)
}

/** All changes that are on record, oldest first; a line that a crash cut short is passed over. STATE_IO. */
export function readChanges(paths: Pick<Paths, 'data'>): ChangeRecord[] {
  return readAll(logOf(paths, FULL_BYTES)).flatMap((record) =>
    typeof record.at === 'string' && typeof record.what === 'string'
      ? [record as unknown as ChangeRecord]
      : [],
  )
}
