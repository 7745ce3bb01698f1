import {existsSync} from 'node:fs'
import {dirname, join, resolve} from 'node:path'
import {Keyring} from '../auth/keyring.ts'
import type {Cluster} from '../cluster/node.ts'
import {messageOf} from '../errors.ts'
import type {Tools} from '../jobs/tools.ts'
import {keysFile, loadKeysAt} from '../state/keys-file.ts'
import {clusterFile, clusterNameOf, loadClusterAt} from '../state/load.ts'
import {watchFiles} from '../state/watch-file.ts'

/** Where it is written which nodes there are and who may use them. */
export interface Source {
  readonly name: string
  readonly file: string
  readonly keysFile: string
  /** Throws what reading a cluster file throws. */
  cluster(): Promise<Cluster>
  /** Throws what reading the keys throws. */
  keys(): Promise<Keyring>
}

/** The chosen cluster, or the one in the file `config`, whose keys lie beside it. BAD_INPUT for a bad name. */
export function sourceOf(
  tools: Pick<Tools, 'cluster' | 'clusterName' | 'paths'>,
  config: string | undefined,
): Source {
  if (config === undefined) {
    const name = tools.clusterName()
    const file = clusterFile(tools.paths, name)
    return {name, file, ...keysAt(keysFile(tools.paths, name)), cluster: () => tools.cluster()}
  }
  const file = resolve(config)
  const name = clusterNameOf(file)
  const keys = join(dirname(file), `${name}.keys.json`)
  return {name, file, ...keysAt(keys), cluster: () => loadClusterAt(tools.paths, file)}
}

const keysAt = (file: string) => ({
  keysFile: file,
  keys: async () => new Keyring(await loadKeysAt(file)),
})

/** Who is told of what changed; each of a new state that is whole and valid. */
export interface SourceHooks {
  readonly cluster: (cluster: Cluster) => void
  readonly keys: (keys: Keyring) => void
  /** A changed file cannot be used: what was read before holds on. */
  readonly unusable: (words: string) => void
}

/** Reads what changes anew. The two files stand apart: a broken cluster file must not keep a revoked key alive. */
export function watchSource(source: Source, hooks: SourceHooks): {close(): void} {
  const read = async <T>(file: string, load: () => Promise<T>, apply: (value: T) => void) => {
    try {
      // Gone is not empty: a fleet does not vanish because a file was moved.
      if (!existsSync(file)) throw new Error(`${file} is gone`)
      apply(await load())
    } catch (error) {
      hooks.unusable(messageOf(error))
    }
  }
  const watches = [
    watchFiles([source.file], () => void read(source.file, () => source.cluster(), hooks.cluster)),
    watchFiles(
      [source.keysFile],
      () => void read(source.keysFile, () => source.keys(), hooks.keys),
    ),
  ]
  return {
    close() {
      for (const watch of watches) watch.close()
    },
  }
}
