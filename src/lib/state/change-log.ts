import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import {join} from 'node:path'
import type {ChangeRecord} from '../cluster/change-record.ts'
import type {Paths} from './paths.ts'
import {cannot} from './write-file.ts'

/** A file of the log is put aside when it has this many bytes; some 16,000 commands. */
const FULL_BYTES = 4 * 2 ** 20
/** Files that were put aside and are kept. */
const KEPT = 4
const CURRENT = 'changes.jsonl'
const ASIDE = /^changes-[\dTZ-]+\.jsonl$/

/** Where the log of changes lies; it may not exist yet. */
export const changeLogDirectory = (paths: Pick<Paths, 'data'>) => join(paths.data, 'changes')

/**
 * Adds a line to the log of changes: one write, so that lines of several processes never mix. At 4 MiB the
 * file is put aside, and the oldest beyond four goes. STATE_IO.
 */
export function appendChange(
  paths: Pick<Paths, 'data'>,
  record: ChangeRecord,
  fullBytes = FULL_BYTES,
): void {
  const directory = changeLogDirectory(paths)
  const file = join(directory, CURRENT)
  try {
    mkdirSync(directory, {recursive: true, mode: 0o700})
    if ((statSync(file, {throwIfNoEntry: false})?.size ?? 0) >= fullBytes) putAside(directory)
    appendFileSync(file, `${JSON.stringify(record)}\n`, {mode: 0o600})
  } catch (error) {
    throw cannot('write', file, error)
  }
}

/** Two processes may do this at once: one of them then finds nothing, or puts a short file aside. */
function putAside(directory: string): void {
  const name = nextName(aside(directory).at(-1))
  try {
    renameSync(join(directory, CURRENT), join(directory, name))
  } catch (error) {
    if ((error as {code?: string}).code !== 'ENOENT') throw error
  }
  for (const old of aside(directory).slice(0, -KEPT)) rmSync(join(directory, old), {force: true})
}

/** Behind the last one in order, whatever the clock says: a rename onto a file would be that one's end. */
function nextName(last: string | undefined): string {
  const now = new Date().toISOString().replaceAll(/[:.]/g, '-')
  const [, stamp = '', count = '0'] = /^changes-(.+Z)-(\d+)\.jsonl$/.exec(last ?? '') ?? []
  const follows = stamp >= now
  const more = String(follows ? Number(count) + 1 : 0).padStart(6, '0')
  return `changes-${follows ? stamp : now}-${more}.jsonl`
}

const aside = (directory: string) =>
  readdirSync(directory)
    .filter((name) => ASIDE.test(name))
    .sort()

/** All changes that are on record, oldest first; a line that a crash cut short is passed over. STATE_IO. */
export function readChanges(paths: Pick<Paths, 'data'>): ChangeRecord[] {
  const directory = changeLogDirectory(paths)
  const records: ChangeRecord[] = []
  try {
    for (const name of [...aside(directory), CURRENT]) {
      let text: string
      try {
        text = readFileSync(join(directory, name), 'utf8')
      } catch (error) {
        if ((error as {code?: string}).code === 'ENOENT') continue
        throw error
      }
      for (const line of text.split('\n')) {
        const record = recordOf(line)
        if (record) records.push(record)
      }
    }
  } catch (error) {
    if ((error as {code?: string}).code === 'ENOENT') return []
    throw cannot('read', directory, error)
  }
  return records
}

function recordOf(line: string): ChangeRecord | undefined {
  if (line === '') return undefined
  try {
    const record = JSON.parse(line) as ChangeRecord
    return typeof record.at === 'string' && typeof record.what === 'string' ? record : undefined
  } catch {
    return undefined
  }
}
