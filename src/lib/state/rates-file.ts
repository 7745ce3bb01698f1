import {mkdirSync, readFileSync, renameSync, unlinkSync, writeFileSync} from 'node:fs'
import {dirname} from 'node:path'

/** An entry of the cache; the oldest ones go first when it grows too large. */
export interface Stamped {
  /** Last change, ms since the epoch. */
  readonly atMs: number
}

/** Entries by node, then by model. */
export type Entries<T extends Stamped> = Readonly<Record<string, Readonly<Record<string, T>>>>

/** Entries kept in all; about 100 bytes each. */
const MOST_ENTRIES = 1000

/** All entries; none when there is no file yet, or none that can be read: it is a cache. */
export function readRates<T extends Stamped>(path: string): Entries<T> {
  let parsed: unknown
  try {
    parsed = JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return {}
  }
  const nodes: Record<string, Record<string, T>> = {}
  for (const [node, models] of fieldsOf(parsed)) {
    const sound = fieldsOf(models).filter((entry): entry is [string, T] => isSound(entry[1]))
    if (sound.length > 0) nodes[node] = Object.fromEntries(sound)
  }
  return nodes
}

/**
 * Changes one entry. The file is replaced as a whole, so readers see the old or the new one; of two
 * processes that write at once the later one wins, which costs one sample. Never throws: an answer that
 * was given stays a success where the cache cannot be written.
 */
export function changeRate<T extends Stamped>(
  path: string,
  at: {readonly node: string; readonly model: string},
  change: (before: T | undefined) => T,
): void {
  const nodes = {...readRates<T>(path)}
  const models = {...nodes[at.node]}
  models[at.model] = change(models[at.model])
  nodes[at.node] = models
  replaceRates(path, nodes)
}

/** All that is kept of a node is from now on kept of one of another name. Never throws. */
export function renameRates(
  path: string,
  {from, to}: {readonly from: string; readonly to: string},
): void {
  const {[from]: models, ...nodes} = readRates(path)
  if (models) replaceRates(path, {...nodes, [to]: models})
}

/**
 * Keeps of each entry the one that was changed last: what the file has, or one of these. Gives what there is now. Bounded,
 * and as harmless as `changeRate`.
 */
export function mergeRates<T extends Stamped>(path: string, nodes: Entries<T>): Entries<T> {
  const merged = newest(readRates<T>(path), nodes)
  replaceRates(path, merged)
  return merged
}

/** Of each entry the one that was changed last; of equals the first one. */
export function newest<T extends Stamped>(a: Entries<T>, b: Entries<T>): Entries<T> {
  const all: Record<string, Record<string, T>> = {}
  for (const nodes of [a, b])
    for (const [node, models] of Object.entries(nodes)) {
      const kept = {...all[node]}
      for (const [model, entry] of Object.entries(models)) {
        const known = kept[model]
        if (!known || entry.atMs > known.atMs) kept[model] = entry
      }
      all[node] = kept
    }
  return all
}

function replaceRates<T extends Stamped>(path: string, nodes: Entries<T>): void {
  const temp = `${path}.${process.pid}.tmp`
  const text = JSON.stringify(bounded(nodes))
  try {
    writeOrMakeRoom(temp, text)
    renameSync(temp, path)
  } catch {
    try {
      unlinkSync(temp)
    } catch {
      // It was never there.
    }
  }
}

function writeOrMakeRoom(path: string, text: string): void {
  try {
    writeFileSync(path, text, {mode: 0o600})
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    mkdirSync(dirname(path), {recursive: true, mode: 0o700})
    writeFileSync(path, text, {mode: 0o600})
  }
}

function bounded<T extends Stamped>(nodes: Entries<T>): Entries<T> {
  const all = Object.entries(nodes).flatMap(([node, models]) =>
    Object.entries(models).map(([model, entry]) => ({node, model, entry})),
  )
  if (all.length <= MOST_ENTRIES) return nodes
  const kept: Record<string, Record<string, T>> = {}
  all.sort((a, b) => b.entry.atMs - a.entry.atMs)
  for (const {node, model, entry} of all.slice(0, MOST_ENTRIES)) {
    kept[node] ??= {}
    kept[node][model] = entry
  }
  return kept
}

function fieldsOf(value: unknown): [string, unknown][] {
  return typeof value === 'object' && value !== null ? Object.entries(value) : []
}

/** Numbers only, as they were written: a cache of other make must not reach the arithmetic. */
function isSound(entry: unknown): boolean {
  const fields = fieldsOf(entry)
  return (
    fields.some(([name]) => name === 'atMs') &&
    fields.every(([, value]) => typeof value === 'number' && Number.isFinite(value) && value >= 0)
  )
}
