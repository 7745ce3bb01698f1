import {dirname, join, resolve} from 'node:path'
import {Keyring} from '../../auth/keyring.ts'
import type {Cluster} from '../../cluster/node.ts'
import {OllamaxError} from '../../errors.ts'
import {compile} from '../../state/compile.ts'
import {keysFile, loadKeysAt} from '../../state/keys-file.ts'
import {clusterFile, clusterNameOf, noCluster, readCluster, readText} from '../../state/load.ts'
import {type Paths, pathsFor} from '../../state/paths.ts'
import {chosenCluster} from '../../state/preferences.ts'
import {keysNeeded} from '../keys-needed.ts'
import type {ListenAddress} from '../listen-address.ts'

/** What decides where our files lie, besides HOME. */
const PATH_VARIABLES = ['OLLAMAX_HOME', 'XDG_CONFIG_HOME', 'XDG_DATA_HOME', 'XDG_CACHE_HOME']

/** Variables that the service needs to find the same files; root's own say nothing of another account's. */
export function serviceEnv(
  env: Readonly<NodeJS.ProcessEnv>,
  scope: 'system' | 'user',
): Readonly<Record<string, string>> {
  const names = scope === 'system' ? ['OLLAMAX_HOME'] : PATH_VARIABLES
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = env[name]
      return value ? [[name, resolve(value)]] : []
    }),
  )
}

export interface WantedService {
  readonly listen: ListenAddress
  readonly openToNetwork: boolean
  readonly cluster?: string | undefined
  readonly config?: string | undefined
}

/**
 * The cluster as the service will find it, read without leaving anything behind: who installs may be root, and the files
 * another's. Throws what `serve` would throw at its start, while it can still be read.
 */
export async function clusterOfService(
  wanted: WantedService,
  at: {readonly home: string; readonly env: Readonly<Record<string, string>>},
): Promise<Cluster> {
  const paths = pathsFor({HOME: at.home, ...at.env})
  const {file, name, keys} = placesOf(wanted, paths)
  const text = wanted.config === undefined ? readCluster(paths, name) : readText(file)
  if (text === undefined && wanted.config !== undefined) throw noCluster(name, [])
  const cluster = text === undefined ? {name, nodes: []} : compile({name, text, file}).cluster
  keysNeeded(wanted, new Keyring(await loadKeysAt(keys)), {name, keysFile: keys})
  if (wanted.listen.port === 0)
    throw new OllamaxError('BAD_INPUT', 'a service needs a port that is always the same')
  return cluster
}

function placesOf({cluster, config}: WantedService, paths: Paths) {
  if (config === undefined) {
    const name = chosenCluster(paths, cluster, {})
    return {name, file: clusterFile(paths, name), keys: keysFile(paths, name)}
  }
  const file = resolve(config)
  const name = clusterNameOf(file)
  return {name, file, keys: join(dirname(file), `${name}.keys.json`)}
}

/** The variables that the cluster file takes secrets from. */
export function secretVariables({nodes}: Pick<Cluster, 'nodes'>): string[] {
  const names = nodes.flatMap((node) =>
    node.kind === 'direct'
      ? Object.values(node.headers).flatMap((value) =>
          typeof value === 'object' && 'env' in value ? [value.env] : [],
        )
      : [],
  )
  return [...new Set(names)].sort()
}
