import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import {basename, join, resolve} from 'node:path'
import {checkClusterName} from '../cluster/names.ts'
import {nearest} from '../cluster/nearest.ts'
import {API_VERSION, type Cluster} from '../cluster/node.ts'
import {OllamaxError} from '../errors.ts'
import type {Paths} from './paths.ts'
import {cannot} from './write-file.ts'

declare const OLLAMAX_VERSION: string | undefined

/** The cluster that is used when nobody names one; it needs no file as long as there is none at all. */
export const DEFAULT_CLUSTER = 'default'

/** Bytes of the largest cluster file that is read. */
export const MAX_BYTES = 4 * 2 ** 20

/** Changes whenever the same text would be compiled to another Cluster. */
const FORMAT = 3

/** Where a cluster's file lies, whether it exists or not. BAD_INPUT for a name that cannot be one. */
export function clusterFile(paths: Pick<Paths, 'config'>, name: string): string {
  return join(clusterDirectory(paths), `${checkClusterName(name)}.yaml`)
}

/** Where all cluster files lie; one lock serves them all, so that renaming needs no second one. */
export const clusterDirectory = (paths: Pick<Paths, 'config'>) => join(paths.config, 'clusters')

/** The text of a cluster file without nodes. */
export function emptyCluster(name: string): string {
  return `# The ollamax cluster "${name}". Edit it by hand as you like: comments and order are kept.
apiVersion: ${API_VERSION}
kind: Cluster
nodes: []
`
}

/** The names of all clusters that have a file, sorted. */
export function clusterNames(paths: Pick<Paths, 'config'>): string[] {
  const directory = clusterDirectory(paths)
  try {
    return readdirSync(directory)
      .filter((file) => file.endsWith('.yaml') && !file.startsWith('.'))
      .map((file) => file.slice(0, -'.yaml'.length))
      .sort()
  } catch (error) {
    if ((error as {code?: string}).code === 'ENOENT') return []
    throw cannot('read', directory, error)
  }
}

/**
 * The wanted state of a cluster. Neither YAML parser nor schema is loaded while the file is the one
 * that was compiled last. CLUSTER_NOT_FOUND, CONFIG_INVALID (every problem with its place), STATE_IO.
 */
export async function loadCluster(
  paths: Pick<Paths, 'config' | 'cache'>,
  name: string,
): Promise<Cluster> {
  const text = readCluster(paths, name)
  if (text === undefined) return {name, nodes: []}
  return compiled(paths, {name, text, file: clusterFile(paths, name)})
}

/** As `loadCluster`, of a cluster file that lies anywhere; its name is the file's. CLUSTER_NOT_FOUND if there is none. */
export async function loadClusterAt(paths: Pick<Paths, 'cache'>, file: string): Promise<Cluster> {
  const name = clusterNameOf(file)
  const text = readText(file)
  if (text !== undefined) return compiled(paths, {name, text, file})
  throw new OllamaxError('CLUSTER_NOT_FOUND', `there is no file ${resolve(file)}`, {
    suggestions: ['write one as docs/config.md says, or: ollamax cluster export NAME > FILE'],
    details: {file: resolve(file)},
  })
}

/** The name of the cluster in a file: `fleet` for `/etc/ollamax/fleet.yaml`. BAD_INPUT if that cannot be one. */
export function clusterNameOf(file: string): string {
  return checkClusterName(basename(file).replace(/\.ya?ml$/i, ''))
}

async function compiled(
  paths: Pick<Paths, 'cache'>,
  source: {readonly name: string; readonly text: string; readonly file: string},
): Promise<Cluster> {
  const cached = readCompiled(paths, source.name, source.text)
  if (cached) return cached
  const {compile} = await import('./compile.ts')
  const {cluster} = compile(source)
  keepCompiled(paths, source.text, cluster)
  return cluster
}

/** The text of a cluster's file; undefined only for the default cluster while there is no cluster at all. */
export function readCluster(paths: Pick<Paths, 'config'>, name: string): string | undefined {
  const file = clusterFile(paths, name)
  const text = readText(file)
  if (text !== undefined) return text
  const names = clusterNames(paths)
  if (name === DEFAULT_CLUSTER && names.length === 0) return undefined
  throw noCluster(name, names)
}

/** Reads a text file of at most MAX_BYTES; undefined if there is none. STATE_IO, CONFIG_INVALID. */
export function readText(file: string): string | undefined {
  let bytes: Buffer
  try {
    const found = statSync(file)
    if (found.isFile() && found.size > MAX_BYTES)
      throw new OllamaxError(
        'CONFIG_INVALID',
        `${file} has ${found.size} bytes; at most ${MAX_BYTES} are read`,
      )
    bytes = readFileSync(file)
  } catch (error) {
    if ((error as {code?: string}).code === 'ENOENT') return undefined
    throw cannot('read', file, error)
  }
  try {
    return new TextDecoder('utf-8', {fatal: true, ignoreBOM: true}).decode(bytes)
  } catch {
    throw new OllamaxError('CONFIG_INVALID', `${file} is not a text in UTF-8`)
  }
}

/** CLUSTER_NOT_FOUND, with what was probably meant. */
export function noCluster(name: string, names: readonly string[]): OllamaxError {
  const near = nearest(name, names)
  const chosen = name === DEFAULT_CLUSTER && names.length > 0
  return new OllamaxError('CLUSTER_NOT_FOUND', `there is no cluster "${name}"`, {
    suggestions: [
      ...(near ? [`did you mean "${near}"?`] : []),
      ...(chosen ? [`choose one of yours: ollamax cluster use ${names[0]}`] : []),
      `create it: ollamax cluster create ${name}`,
    ],
    details: {name, clusters: names},
  })
}

/** The compiled form stands beside the exact text it was made from, so it can never be out of date. */
interface CompiledFile {
  readonly made: string
  readonly source: string
  readonly cluster: Cluster
}

const made = () => `${FORMAT} ${typeof OLLAMAX_VERSION === 'string' ? OLLAMAX_VERSION : 'source'}`
const compiledFile = (paths: Pick<Paths, 'cache'>, name: string) =>
  join(paths.cache, 'clusters', `${name}.json`)

/** Removes what was kept of a cluster that is no more. */
export function forgetCompiled(paths: Pick<Paths, 'cache'>, name: string): void {
  try {
    rmSync(compiledFile(paths, name), {force: true})
  } catch {
    // The directory is not ours to write: then there is no cache.
  }
}

function readCompiled(
  paths: Pick<Paths, 'cache'>,
  name: string,
  source: string,
): Cluster | undefined {
  try {
    const found = JSON.parse(readFileSync(compiledFile(paths, name), 'utf8')) as CompiledFile
    const same = found.made === made() && found.source === source && found.cluster.name === name
    return same ? found.cluster : undefined
  } catch {
    // None yet, or not what it should be: it is only a cache.
    return undefined
  }
}

/** Synchronous and not synced to disk: it is small, and a lost or broken cache costs nothing. */
function keepCompiled(paths: Pick<Paths, 'cache'>, source: string, cluster: Cluster): void {
  const file = compiledFile(paths, cluster.name)
  const temporary = `${file}.${process.pid}.new`
  const content: CompiledFile = {made: made(), source, cluster}
  try {
    mkdirSync(join(paths.cache, 'clusters'), {recursive: true, mode: 0o700})
    writeFileSync(temporary, JSON.stringify(content), {mode: 0o600})
    renameSync(temporary, file)
  } catch {
    try {
      rmSync(temporary, {force: true})
    } catch {
      // The directory is not ours to write: then there is no cache.
    }
  }
}
