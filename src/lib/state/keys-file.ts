import {rm} from 'node:fs/promises'
import {join} from 'node:path'
import type {Key} from '../auth/key.ts'
import {checkClusterName} from '../cluster/names.ts'
import {messageOf, OllamaxError} from '../errors.ts'
import {
  clusterDirectory,
  clusterFile,
  emptyCluster,
  MAX_BYTES,
  readCluster,
  readText,
} from './load.ts'
import {type LockOptions, withLock} from './lock.ts'
import type {Paths} from './paths.ts'
import {cannot, writeWhole} from './write-file.ts'

// The keys of a cluster, in a file beside the cluster's own and under the same lock. Not in the YAML: that file
// is shared and kept under version control, and no person writes a hash by hand.

/** Changes when an older version could misread the file. */
const FORMAT = 1

/** Where a cluster's keys lie, whether there are any or not. BAD_INPUT for a name that cannot be a cluster's. */
export function keysFile(paths: Pick<Paths, 'config'>, cluster: string): string {
  return join(clusterDirectory(paths), `${checkClusterName(cluster)}.keys.json`)
}

/**
 * The keys of a cluster; none while there is no file. A file that cannot be read, or not wholly understood, is an
 * error that names it and never a cluster without keys: what stands open for want of keys must not open by a
 * damaged disk. STATE_IO, CONFIG_INVALID.
 */
export async function loadKeys(
  paths: Pick<Paths, 'config'>,
  cluster: string,
): Promise<readonly Key[]> {
  return loadKeysAt(keysFile(paths, cluster))
}

/** As `loadKeys`, of a file that lies anywhere. */
export async function loadKeysAt(file: string): Promise<readonly Key[]> {
  const text = readText(file)
  if (text === undefined) return []
  let raw: unknown
  try {
    raw = JSON.parse(text)
  } catch (error) {
    throw broken(file, `is not valid JSON: ${messageOf(error)}`, error)
  }
  const {format, keys} = (raw ?? {}) as {readonly format?: unknown; readonly keys?: unknown}
  if (typeof format === 'number' && format > FORMAT)
    throw new OllamaxError('CONFIG_INVALID', `${file} was written by a later version of ollamax`, {
      suggestions: ['use that version, or a later one'],
    })
  if (format !== FORMAT) throw broken(file, 'is not a file of keys')
  const {parseKeys} = await import('./keys-schema.ts')
  const parsed = parseKeys(keys)
  if (typeof parsed === 'string') throw broken(file, `cannot be used: ${parsed}`)
  return parsed
}

function broken(file: string, what: string, cause?: unknown): OllamaxError {
  return new OllamaxError('CONFIG_INVALID', `${file} ${what}`, {
    cause,
    suggestions: [
      'bring it back from a copy',
      `or begin anew without any key: mv ${file} ${file}.old`,
    ],
  })
}

/** What a change of keys comes to. */
export interface KeysChange<T> {
  readonly keys: readonly Key[]
  readonly result: T
}

/**
 * Changes the keys of a cluster under the lock: re-reads them, applies `change` and replaces the file as a whole,
 * for its owner alone (0600). If anything throws, the file is as before. CLUSTER_NOT_FOUND, LOCKED, STATE_IO;
 * CONFIG_INVALID for a broken file; BAD_INPUT if the keys would not be valid or no longer fit into one.
 */
export async function changeKeys<T>(
  paths: Pick<Paths, 'config'>,
  cluster: string,
  change: (keys: readonly Key[]) => KeysChange<T>,
  options: LockOptions = {},
): Promise<T> {
  const file = keysFile(paths, cluster)
  const work = async () => {
    const missing = readCluster(paths, cluster) === undefined
    const {keys, result} = change(await loadKeys(paths, cluster))
    const {parseKeys} = await import('./keys-schema.ts')
    const parsed = parseKeys(keys)
    if (typeof parsed === 'string') throw new OllamaxError('BAD_INPUT', parsed)
    const text = `${JSON.stringify({format: FORMAT, keys: parsed}, null, 2)}\n`
    if (Buffer.byteLength(text) > MAX_BYTES)
      throw new OllamaxError('BAD_INPUT', `more keys than ${file} can hold`, {
        suggestions: ['revoke those that nobody uses: ollamax key list'],
      })
    options.signal?.throwIfAborted()
    // Keys without their cluster would come to life in the next cluster of that name.
    if (missing) await writeWhole(clusterFile(paths, cluster), emptyCluster(cluster))
    await writeWhole(file, text)
    return result
  }
  return withLock(clusterDirectory(paths), work, options)
}

/** Removes a cluster's keys, if there are any. Under the lock of the cluster files. STATE_IO. */
export async function removeKeys(paths: Pick<Paths, 'config'>, cluster: string): Promise<void> {
  const file = keysFile(paths, cluster)
  await rm(file, {force: true}).catch((error: unknown) => {
    throw cannot('remove', file, error)
  })
}

/**
 * Gives `to` the keys that `from` has and no others, as they stand there. Under the lock of the cluster files.
 * STATE_IO.
 */
export async function copyKeys(
  paths: Pick<Paths, 'config'>,
  {from, to}: {readonly from: string; readonly to: string},
): Promise<void> {
  const text = readText(keysFile(paths, from))
  await removeKeys(paths, to)
  if (text !== undefined) await writeWhole(keysFile(paths, to), text)
}
