import {execFile} from 'node:child_process'
import {readFile, rm} from 'node:fs/promises'
import {join} from 'node:path'
import {promisify} from 'node:util'
import {readJson, writeJson} from '../engine-home.ts'

/** What a running engine says of itself in `engine.json` of the run directory. */
export interface EngineRecord {
  readonly pid: number
  readonly port: number
  /** ISO time. */
  readonly startedAt: string
  readonly model: string
  readonly modelPath: string
  /** Stands in the process's command line too, which tells it from a later process of the same pid. */
  readonly instance: string
}

const fileOf = (run: string) => join(run, 'engine.json')

/** Where the engine writes what it has to say. */
export const engineLog = (run: string) => join(run, 'engine.log')

/** The record as it is, even if its process is gone; see `runningEngine`. */
export async function readRecord(run: string): Promise<EngineRecord | undefined> {
  const found = (await readJson(fileOf(run))) as Partial<EngineRecord> | undefined
  if (typeof found !== 'object' || found === null) return undefined
  const {pid, port, startedAt, model, modelPath, instance} = found
  const valid =
    Number.isInteger(pid) &&
    Number.isInteger(port) &&
    typeof startedAt === 'string' &&
    typeof model === 'string' &&
    typeof modelPath === 'string' &&
    /^[0-9a-f]{16,}$/.test(instance ?? '')
  return valid ? (found as EngineRecord) : undefined
}

export function writeRecord(run: string, record: EngineRecord): Promise<void> {
  return writeJson(fileOf(run), record)
}

/** Removes the record of that engine, and of no other that took its place. */
export async function removeRecord(run: string, instance: string): Promise<void> {
  if ((await readRecord(run))?.instance === instance) await rm(fileOf(run), {force: true})
}

/** The engine that runs now; undefined if none does. */
export async function runningEngine(run: string): Promise<EngineRecord | undefined> {
  const record = await readRecord(run)
  return record && (await isRunning(record)) ? record : undefined
}

/** True only if the process of that pid is the engine that wrote the record. */
export async function isRunning(record: EngineRecord): Promise<boolean> {
  return (await commandLine(record.pid))?.includes(record.instance) ?? false
}

/** Memory of a process in bytes; undefined: unknown. */
export async function residentBytes(pid: number): Promise<number | undefined> {
  if (process.platform === 'linux') {
    const text = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
    const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(text) ?? []
    return kib === undefined ? undefined : Number(kib) * 1024
  }
  const kib = Number(await ps(pid, 'rss='))
  return Number.isFinite(kib) && kib > 0 ? kib * 1024 : undefined
}

/** Undefined: there is no such process (a dead one that nobody has waited for counts as none). */
async function commandLine(pid: number): Promise<string | undefined> {
  if (process.platform === 'linux')
    return readFile(`/proc/${pid}/cmdline`, 'utf8').then(
      (text) => text.replaceAll('\0', ' ') || undefined,
      () => undefined,
    )
  return (await ps(pid, 'command=')) || undefined
}

/** Windows has no ps; there an engine is never taken for ours, and so never ended by mistake. */
async function ps(pid: number, field: string): Promise<string> {
  const run = promisify(execFile)
  return run('ps', ['-ww', '-o', field, '-p', String(pid)], {timeout: 5000}).then(
    ({stdout}) => stdout.trim(),
    () => '',
  )
}
