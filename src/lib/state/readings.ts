import {mkdirSync, readFileSync, renameSync, rmSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import type {Reading} from '../cluster/reading.ts'
import type {Paths} from './paths.ts'

/** The little that is kept of a reading: enough to say how a node was when it was last looked at. */
export interface LastReading {
  readonly node: string
  /** Wall time, ms since the epoch. */
  readonly atMs: number
  readonly state: 'up' | 'down'
  readonly version?: string
  /** How many models it has on disk; 0 while it is down. */
  readonly models: number
  /** Names of the models on disk when it was last up; absent: never seen. */
  readonly names?: readonly string[]
  /** Names of the models in memory. */
  readonly loaded: readonly string[]
  /** Why it was down. */
  readonly code?: string
  readonly message?: string
}

/** Older than this says nothing about a node any more. */
const MAX_AGE_MS = 30 * 86_400_000
const FORMAT = 1

/** What was last seen of each node of a cluster, by name; empty where nothing is known. Never throws. */
export function lastReadings(
  paths: Pick<Paths, 'cache'>,
  cluster: string,
): ReadonlyMap<string, LastReading> {
  try {
    const found = JSON.parse(readFileSync(fileOf(paths, cluster), 'utf8')) as {
      readonly format: number
      readonly readings: readonly LastReading[]
    }
    if (found.format !== FORMAT) return new Map()
    return new Map(found.readings.filter(isSound).map((reading) => [reading.node, reading]))
  } catch {
    return new Map()
  }
}

/**
 * Keeps what was just seen beside what is known of other nodes. Lossy on purpose: of two processes that
 * write at once one may win, and a disk that is full or read-only keeps nothing. Never throws.
 */
export function keepReadings(
  paths: Pick<Paths, 'cache'>,
  cluster: string,
  readings: readonly Reading[],
): void {
  if (readings.length === 0) return
  const known = new Map(lastReadings(paths, cluster))
  for (const reading of readings)
    known.set(reading.node, condense(reading, known.get(reading.node)))
  const newest = Math.max(...readings.map((reading) => reading.atMs))
  replaceReadings(
    paths,
    cluster,
    [...known.values()].filter((reading) => newest - reading.atMs < MAX_AGE_MS),
  )
}

/** What was seen of a node is from now on what was seen of one of another name. Never throws. */
export function renameReading(
  paths: Pick<Paths, 'cache'>,
  cluster: string,
  {from, to}: {readonly from: string; readonly to: string},
): void {
  const known = new Map(lastReadings(paths, cluster))
  const reading = known.get(from)
  if (!reading) return
  known.delete(from)
  known.set(to, {...reading, node: to})
  replaceReadings(paths, cluster, [...known.values()])
}

function replaceReadings(
  paths: Pick<Paths, 'cache'>,
  cluster: string,
  readings: readonly LastReading[],
): void {
  const file = fileOf(paths, cluster)
  const temporary = `${file}.${process.pid}.new`
  try {
    mkdirSync(join(paths.cache, 'readings'), {recursive: true, mode: 0o700})
    writeFileSync(temporary, JSON.stringify({format: FORMAT, readings}), {mode: 0o600})
    renameSync(temporary, file)
  } catch {
    try {
      rmSync(temporary, {force: true})
    } catch {
      // Not ours to write: then nothing is remembered.
    }
  }
}

function condense(reading: Reading, before: LastReading | undefined): LastReading {
  const {node, atMs} = reading
  if (reading.kind === 'down') {
    const {code, message} = reading
    const names = before?.names === undefined ? {} : {names: before.names}
    return {node, atMs, state: 'down', models: 0, ...names, loaded: [], code, message}
  }
  // `run` does not ask for the version: what was seen before is still the best that is known.
  const version = reading.version ?? before?.version
  return {
    node,
    atMs,
    state: 'up',
    ...(version === undefined ? {} : {version}),
    models: reading.models.length,
    names: reading.models.map((model) => model.name),
    loaded: reading.loaded.map((model) => model.name),
  }
}

/** The latest moment that a Date can be. */
const LATEST_MS = 8.64e15

/** As we write them: what another program or half a disk left must not reach those who print it. */
function isSound(reading: LastReading | null): boolean {
  if (typeof reading !== 'object' || reading === null) return false
  const {node, atMs, state, version, models, names, loaded, code, message} = reading as {
    readonly [field in keyof LastReading]: unknown
  }
  const isText = (value: unknown) => value === undefined || typeof value === 'string'
  const areTexts = (values: unknown) =>
    Array.isArray(values) && values.every((value) => typeof value === 'string')
  return (
    typeof node === 'string' &&
    Number.isFinite(atMs) &&
    Math.abs(atMs as number) <= LATEST_MS &&
    (state === 'up' || state === 'down') &&
    typeof models === 'number' &&
    (names === undefined || areTexts(names)) &&
    areTexts(loaded) &&
    [version, code, message].every(isText)
  )
}

const fileOf = (paths: Pick<Paths, 'cache'>, cluster: string) =>
  join(paths.cache, 'readings', `${cluster}.json`)
