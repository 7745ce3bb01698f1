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
import {cannot} from './write-file.ts'

/** A log of JSON lines that several processes write and that never grows without end. */
export interface BoundedLog {
  readonly directory: string
  /** Of its file, without `.jsonl`. */
  readonly name: string
  /** The file is put aside when it has this many bytes. */
  readonly fullBytes: number
  /** Files that were put aside and are kept. */
  readonly kept: number
}

const fileOf = ({directory, name}: BoundedLog) => join(directory, `${name}.jsonl`)

/** Adds a line: one write, so that lines of several processes never mix. STATE_IO. */
export function appendTo(log: BoundedLog, value: object): void {
  const file = fileOf(log)
  try {
    mkdirSync(log.directory, {recursive: true, mode: 0o700})
    if ((statSync(file, {throwIfNoEntry: false})?.size ?? 0) >= log.fullBytes) putAside(log)
    appendFileSync(file, `${JSON.stringify(value)}\n`, {mode: 0o600})
  } catch (error) {
    throw cannot('write', file, error)
  }
}

/** Two processes may do this at once: one of them then finds nothing, or puts a short file aside. */
function putAside(log: BoundedLog): void {
  const name = nextName(log, asideOf(log).at(-1))
  try {
    renameSync(fileOf(log), join(log.directory, name))
  } catch (error) {
    if ((error as {code?: string}).code !== 'ENOENT') throw error
  }
  const aside = asideOf(log)
  for (const old of aside.slice(0, Math.max(0, aside.length - log.kept)))
    rmSync(join(log.directory, old), {force: true})
}

/** Behind the last one in order, whatever the clock says: a rename onto a file would be that one's end. */
function nextName({name}: BoundedLog, last: string | undefined): string {
  const now = new Date().toISOString().replaceAll(/[:.]/g, '-')
  const [, stamp = '', count = '0'] = /-(\d{4}-[\dT-]+Z)-(\d+)\.jsonl$/.exec(last ?? '') ?? []
  const follows = stamp >= now
  const more = String(follows ? Number(count) + 1 : 0).padStart(6, '0')
  return `${name}-${follows ? stamp : now}-${more}.jsonl`
}

function asideOf({directory, name}: BoundedLog): string[] {
  return readdirSync(directory)
    .filter(
      (file) => file.startsWith(`${name}-`) && /^-[\dTZ-]+\.jsonl$/.test(file.slice(name.length)),
    )
    .sort()
}

/** All that is on record, oldest first; a line that a crash cut short is passed over. STATE_IO. */
export function readAll(log: BoundedLog): Array<Record<string, unknown>> {
  const records: Array<Record<string, unknown>> = []
  try {
    for (const file of [...asideOf(log), `${log.name}.jsonl`]) {
      let text: string
      try {
        text = readFileSync(join(log.directory, file), 'utf8')
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
    throw cannot('read', log.directory, error)
  }
  return records
}

function recordOf(line: string): Record<string, unknown> | undefined {
  if (line === '') return undefined
  try {
    const record: unknown = JSON.parse(line)
    return typeof record === 'object' && record !== null
      ? (record as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}
