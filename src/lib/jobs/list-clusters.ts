import {existsSync} from 'node:fs'
import {OllamaxError} from '../errors.ts'
import {keysFile} from '../state/keys-file.ts'
import {clusterFile, clusterNames, DEFAULT_CLUSTER, loadCluster} from '../state/load.ts'
import {preferencesFile} from '../state/preferences.ts'
import {writeWhole} from '../state/write-file.ts'
import {sourceOf} from './config-settings.ts'
import {confirmed} from './confirm.ts'
import type {Tools} from './tools.ts'

export interface ListedCluster {
  readonly name: string
  /** Commands work on it unless --cluster says otherwise. */
  readonly current: boolean
  /** null: the file cannot be used; `problem` says why. */
  readonly nodes: number | null
  readonly problem: string | null
  readonly file: string
}

/** All clusters by name. One that cannot be used is in the list too, with the reason. */
export async function listClusters(
  tools: Pick<Tools, 'paths' | 'clusterName'>,
): Promise<ListedCluster[]> {
  const found = clusterNames(tools.paths)
  const names = found.length === 0 ? [DEFAULT_CLUSTER] : found
  const current = tools.clusterName()
  return Promise.all(
    names.map(async (name) => {
      const {nodes, problem} = await count(tools, name)
      return {name, current: name === current, nodes, problem, file: fileOf(tools, name)}
    }),
  )
}

async function count(tools: Pick<Tools, 'paths'>, name: string) {
  try {
    const {nodes} = await loadCluster(tools.paths, name)
    return {nodes: nodes.length, problem: null}
  } catch (error) {
    if (!OllamaxError.is(error)) throw error
    return {nodes: null, problem: error.message}
  }
}

/** A stray file may have a name that no cluster can have; it is shown, not tripped over. */
function fileOf(tools: Pick<Tools, 'paths'>, name: string): string {
  try {
    return clusterFile(tools.paths, name)
  } catch {
    return `${name}.yaml`
  }
}

/** Where our files lie; none of them need exist yet. */
export interface ConfigPaths {
  readonly cluster: string
  /** Who may use the cluster's gateway. */
  readonly keys: string
  readonly preferences: string
  readonly config: string
  readonly data: string
  readonly cache: string
  readonly run: string
}

export function listPaths(tools: Pick<Tools, 'paths' | 'clusterName'>): ConfigPaths {
  const {config, data, cache, run} = tools.paths
  const preferences = preferencesFile(tools.paths)
  const keys = keysFile(tools.paths, tools.clusterName())
  return {cluster: clusterPath(tools), keys, preferences, config, data, cache, run}
}

/** Where the file of the chosen cluster lies. */
export const clusterPath = (tools: Pick<Tools, 'paths' | 'clusterName'>) =>
  clusterFile(tools.paths, tools.clusterName())

/** The chosen cluster's file as it is, written to `output` if that is given. CONFIRM_NEEDED if that exists. */
export async function exportCluster(
  tools: Pick<Tools, 'paths' | 'clusterName' | 'ask'>,
  {output, yes}: {readonly output: string | null; readonly yes: boolean},
): Promise<{readonly name: string; readonly yaml: string}> {
  const {name, text} = sourceOf(tools)
  if (output !== null) {
    if (existsSync(output)) await confirmed(tools, yes, `Replace ${output}?`)
    await writeWhole(output, text)
  }
  return {name, yaml: text}
}
