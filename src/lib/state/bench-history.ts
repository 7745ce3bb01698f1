import {mkdirSync, readFileSync, renameSync, rmSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import type {BenchFigures} from '../cluster/bench.ts'
import type {Paths} from './paths.ts'

/** What one run of `bench` has found of one model on one node. */
export interface BenchEntry {
  /** Wall time, ms since the epoch. */
  readonly atMs: number
  readonly node: string
  /** Full spelling, see `modelKey`. */
  readonly model: string
  readonly digest: string
  /** Of Ollama. */
  readonly version?: string
  readonly figures: BenchFigures
}

/** Entries kept in all, and of one model on one node. */
const MOST = 1000
const MOST_EACH = 20
const FORMAT = 1

/** All that is kept of a cluster, the oldest first; none where nothing is, or nothing that can be read. Never throws. */
export function benchHistory(paths: Pick<Paths, 'data'>, cluster: string): readonly BenchEntry[] {
  try {
    const found = JSON.parse(readFileSync(fileOf(paths, cluster), 'utf8')) as {
      readonly format: number
      readonly entries: readonly BenchEntry[]
    }
    return found.format === FORMAT ? found.entries.filter(isSound) : []
  } catch {
    return []
  }
}

/**
 * Keeps more entries, and of each node and model no more than the latest twenty. Lossy on purpose: of two processes that
 * write at once one may win. False: it could not be written.
 */
export function keepBench(
  paths: Pick<Paths, 'data'>,
  cluster: string,
  entries: readonly BenchEntry[],
): boolean {
  const counts = new Map<string, number>()
  const kept: BenchEntry[] = []
  for (const entry of [...benchHistory(paths, cluster), ...entries].reverse()) {
    const key = `${entry.node} ${entry.model}`
    const count = (counts.get(key) ?? 0) + 1
    counts.set(key, count)
    if (count <= MOST_EACH && kept.length < MOST) kept.push(entry)
  }
  return replaceHistory(paths, cluster, kept.reverse())
}

/** What was measured of a node is from now on that of one of another name. False: it could not be written. */
export function renameBench(
  paths: Pick<Paths, 'data'>,
  cluster: string,
  {from, to}: {readonly from: string; readonly to: string},
): boolean {
  const history = benchHistory(paths, cluster)
  if (!history.some(({node}) => node === from)) return true
  return replaceHistory(
    paths,
    cluster,
    history.map((entry) => (entry.node === from ? {...entry, node: to} : entry)),
  )
}

function replaceHistory(
  paths: Pick<Paths, 'data'>,
  cluster: string,
  entries: readonly BenchEntry[],
): boolean {
  const file = fileOf(paths, cluster)
  const temporary = `${file}.${process.pid}.new`
  try {
    mkdirSync(join(paths.data, 'bench'), {recursive: true, mode: 0o700})
    writeFileSync(temporary, JSON.stringify({format: FORMAT, entries}), {mode: 0o600})
    renameSync(temporary, file)
    return true
  } catch {
    try {
      rmSync(temporary, {force: true})
    } catch {
      // It was never there.
    }
    return false
  }
}

/** The latest entry of that model on that node. */
export function lastBench(
  history: readonly BenchEntry[],
  at: {readonly node: string; readonly model: string},
): BenchEntry | undefined {
  return history.findLast(({node, model}) => node === at.node && model === at.model)
}

/** As we write them: half a disk must not reach those who print it. */
function isSound(entry: BenchEntry | null): boolean {
  if (typeof entry !== 'object' || entry === null) return false
  const {atMs, node, model, figures} = entry as {readonly [field in keyof BenchEntry]: unknown}
  const lists = figures as {prefill?: unknown; atOnce?: unknown} | null | undefined
  return (
    Number.isFinite(atMs) &&
    typeof node === 'string' &&
    typeof model === 'string' &&
    Array.isArray(lists?.prefill) &&
    Array.isArray(lists?.atOnce)
  )
}

const fileOf = (paths: Pick<Paths, 'data'>, cluster: string) =>
  join(paths.data, 'bench', `${cluster}.json`)
