import {existsSync, readFileSync} from 'node:fs'
import {rename, rm} from 'node:fs/promises'
import {basename} from 'node:path'
import {checkClusterName} from '../cluster/names.ts'
import type {Cluster} from '../cluster/node.ts'
import {OllamaxError} from '../errors.ts'
import {copyKeys, keysFile, removeKeys} from '../state/keys-file.ts'
import {
  clusterDirectory,
  clusterFile,
  clusterNames,
  emptyCluster,
  forgetCompiled,
  MAX_BYTES,
  noCluster,
  readCluster,
  readText,
} from '../state/load.ts'
import {withLock} from '../state/lock.ts'
import {readPreferences, writePreference} from '../state/preferences.ts'
import {cannot, writeWhole} from '../state/write-file.ts'
import {confirmed} from './confirm.ts'
import type {Tools} from './tools.ts'
import {withDeployLock} from './with-deploy-lock.ts'

type Door = Pick<Tools, 'paths' | 'signal' | 'ask' | 'clusterName' | 'env'>

/** Where a cluster lies and whether commands use it from now on. */
export interface ChangedCluster {
  readonly name: string
  readonly file: string
  readonly current: boolean
}

/** Makes an empty cluster file. CLUSTER_EXISTS; BAD_INPUT for a name that cannot be one. */
export async function createCluster(
  tools: Door,
  {name, use}: {readonly name: string; readonly use: boolean},
): Promise<ChangedCluster> {
  const file = clusterFile(tools.paths, name)
  await locked(tools, `creating the cluster ${name}`, async () => {
    refuseExisting(tools, name)
    // Those of a cluster whose file somebody removed by hand.
    await removeKeys(tools.paths, name)
    await writeWhole(file, emptyCluster(name))
  })
  if (use) await makeCurrent(tools, name)
  return {name, file, current: tools.clusterName() === name}
}

/** Makes a cluster the current one of this user. CLUSTER_NOT_FOUND. */
export async function chooseCluster(tools: Door, name: string): Promise<ChangedCluster> {
  readCluster(tools.paths, name)
  await makeCurrent(tools, name)
  return {name, file: clusterFile(tools.paths, name), current: tools.clusterName() === name}
}

/**
 * Gives a cluster another name, its keys with it; if it was the current one, it stays so. CLUSTER_NOT_FOUND,
 * CLUSTER_EXISTS.
 */
export async function renameCluster(
  tools: Door,
  {from, to}: {readonly from: string; readonly to: string},
): Promise<ChangedCluster> {
  const [old, file] = [clusterFile(tools.paths, from), clusterFile(tools.paths, to)]
  await undeployed(tools, {cluster: from, reason: `renaming the cluster to ${to}`}, async () => {
    const names = clusterNames(tools.paths)
    if (!names.includes(from)) throw noCluster(from, names)
    refuseExisting(tools, to)
    // In this order there is no moment, and no crash, after which a cluster stands without its keys.
    await copyKeys(tools.paths, {from, to})
    await rename(old, file).catch((error: unknown) => {
      throw cannot('write', file, error)
    })
    await removeKeys(tools.paths, from)
    forgetCompiled(tools.paths, from)
    if (readPreferences(tools.paths).currentCluster === from) await makeCurrent(tools, to)
  })
  return {name: to, file, current: tools.clusterName() === to}
}

/**
 * Removes a cluster's file and its keys after a question; nothing on its nodes is touched. The current
 * cluster goes only with `yes`. CONFIRM_NEEDED, CLUSTER_NOT_FOUND; INTERRUPTED if the answer is no.
 */
export async function removeCluster(
  tools: Door,
  {name, yes}: {readonly name: string; readonly yes: boolean},
): Promise<{readonly name: string; readonly file: string}> {
  const file = clusterFile(tools.paths, name)
  const names = clusterNames(tools.paths)
  if (!names.includes(name)) throw noCluster(name, names)
  if (!yes && name === tools.clusterName())
    throw new OllamaxError('CONFIRM_NEEDED', `"${name}" is the current cluster`, {
      suggestions: ['choose another one first: ollamax cluster use NAME', 'or pass --yes'],
    })
  const keys = existsSync(keysFile(tools.paths, name)) ? ' Its keys end with it.' : ''
  await confirmed(
    tools,
    yes,
    `Remove the cluster "${name}"?${keys} Its nodes are left as they are.`,
  )
  await undeployed(tools, {cluster: name, reason: 'removing the cluster'}, async () => {
    await rm(file).catch((error: unknown) => {
      throw cannot('remove', file, error)
    })
    await removeKeys(tools.paths, name)
    forgetCompiled(tools.paths, name)
    if (readPreferences(tools.paths).currentCluster === name) await makeCurrent(tools, undefined)
  })
  return {name, file}
}

/**
 * Takes over a cluster file (`-`: from stdin) once it is valid. The name is that of the file unless one
 * is given. A cluster of that name is replaced only with `yes` or a confirmed question: CLUSTER_EXISTS.
 * One that is replaced keeps its keys; a new one has none.
 */
export async function importCluster(
  tools: Door,
  {from, name: wanted, yes, allowHooks}: ImportOptions,
): Promise<ChangedCluster & {readonly nodes: number}> {
  const text = readAny(from)
  if (wanted === undefined && from === '-')
    throw new OllamaxError('BAD_INPUT', 'a cluster from stdin needs a name', {
      suggestions: ['pass --name NAME'],
    })
  const name = checkClusterName(wanted ?? basename(from).replace(/\.ya?ml$/i, ''))
  const {compile} = await import('../state/compile.ts')
  const {cluster} = compile({name, text, file: from === '-' ? 'stdin' : from})
  if (cluster.hooks && !allowHooks) await allowed(tools, name, cluster.hooks)
  const file = clusterFile(tools.paths, name)
  const exists = () => clusterNames(tools.paths).includes(name)
  let replace = yes
  if (exists() && !replace) {
    if (!tools.ask.interactive) refuseExisting(tools, name, 'replace it: pass --yes')
    await confirmed(tools, false, `Replace the cluster "${name}"?`)
    replace = true
  }
  await locked(tools, `importing the cluster ${name}`, async () => {
    if (!replace) refuseExisting(tools, name, 'replace it: pass --yes')
    if (!exists()) await removeKeys(tools.paths, name)
    await writeWhole(file, text)
  })
  return {name, file, current: tools.clusterName() === name, nodes: cluster.nodes.length}
}

export interface ImportOptions {
  /** Path of the file; `-`: stdin. */
  readonly from: string
  readonly name?: string
  readonly yes: boolean
  /** Take it over although it has programs run on this machine. */
  readonly allowHooks: boolean
}

/** A file of somebody else's must not have programs run here without being asked about. */
async function allowed(
  tools: Door,
  name: string,
  hooks: NonNullable<Cluster['hooks']>,
): Promise<void> {
  const lines = Object.entries(hooks).map(([when, {run}]) => `${when}: ${run.join(' ')}`)
  const question = `The cluster "${name}" has programs run on this machine (${lines.join('; ')}). Take that over?`
  if (!tools.ask.interactive)
    throw new OllamaxError('CONFIRM_NEEDED', `there is no terminal to ask at: ${question}`, {
      suggestions: ['take its hooks out of the file', 'or pass --allow-hooks'],
      details: {hooks},
    })
  await confirmed(tools, false, question)
}

/** A text file, or stdin for `-`. STATE_IO, CONFIG_INVALID. */
export function readAny(from: string): string {
  if (from !== '-') {
    const text = readText(from)
    if (text !== undefined) return text
    throw new OllamaxError('STATE_IO', `cannot read ${from}: there is no such file`)
  }
  const text = readFileSync(0, 'utf8')
  if (text.length > MAX_BYTES)
    throw new OllamaxError('CONFIG_INVALID', `stdin has more than ${MAX_BYTES} bytes`)
  return text
}

const makeCurrent = (tools: Door, value: string | undefined) =>
  writePreference(tools.paths, {key: 'currentCluster', value}, tools.signal)

const locked = <T>(tools: Door, why: string, work: () => Promise<T>) =>
  withLock(clusterDirectory(tools.paths), work, {signal: tools.signal, why})

/** Not while its nodes are being changed, or are not to be: the lock bears the cluster's name. */
const undeployed = <T>(
  tools: Door,
  about: {readonly cluster: string; readonly reason: string},
  work: () => Promise<T>,
) => withDeployLock(tools, about, () => locked(tools, about.reason, work))

function refuseExisting(tools: Door, name: string, next?: string): void {
  if (!clusterNames(tools.paths).includes(name)) return
  throw new OllamaxError('CLUSTER_EXISTS', `there is a cluster "${name}" already`, {
    suggestions: next ? [next, 'or choose another name with --name'] : ['choose another name'],
  })
}
