import {policyNamed} from '../balancer/policies.ts'
import {nearest} from '../cluster/nearest.ts'
import type {Cluster} from '../cluster/node.ts'
import {OllamaxError} from '../errors.ts'
import {clusterFile, emptyCluster, readCluster} from '../state/load.ts'
import {
  PREFERENCE_VALUES,
  type Preferences,
  preferencesFile,
  readPreferences,
  writePreference,
} from '../state/preferences.ts'
import type {Tools} from './tools.ts'

type Door = Pick<Tools, 'paths' | 'signal' | 'clusterName' | 'cluster' | 'editCluster'>

/** One setting, its value (null: not set), and the file it stands in. */
export interface Setting {
  readonly key: string
  readonly value: unknown
  readonly file: string
}

/** Words for preferences; none of them is a key of the cluster file, so a key always means one thing. */
const PREFERENCES: Readonly<Record<string, keyof Preferences>> = {
  cluster: 'currentCluster',
  'default-model': 'defaultModel',
  output: 'output',
  theme: 'theme',
}
const CLUSTER_KEYS = ['policy', 'defaults', 'gateway', 'nodes']

/** Settings by their whole key, apart from those of single nodes. */
export const SETTING_KEYS: readonly string[] = [
  ...Object.keys(PREFERENCES),
  ...['policy', 'defaults.keepAlive', 'defaults.readTimeout', 'defaults.reuseIdle'],
  ...['gateway.ca', 'gateway.hedge', 'gateway.key.env', 'gateway.key.file', 'gateway.url'],
]

/** The values that a preference may have; none where any text may stand, and for what is no preference. */
export function preferenceValues(key: string): readonly string[] {
  const preference = preferenceOf(key)
  return (preference && PREFERENCE_VALUES[preference]) ?? []
}

/** Mappings whose keys may hold dots, so the rest of the path is one key. */
const FREE_KEYS = new Set(['labels', 'env', 'headers'])

/** The value of a preference or of a key of the cluster file. BAD_INPUT for a key that cannot be. */
export async function getSetting(tools: Door, key: string): Promise<Setting> {
  const preference = preferenceOf(key)
  if (preference) {
    const value = readPreferences(tools.paths)[preference] ?? null
    return {key, value, file: preferencesFile(tools.paths)}
  }
  const path = pathOf(key, await tools.cluster())
  const {settingAt} = await import('../state/edit.ts')
  const source = sourceOf(tools)
  return {key, value: settingAt(source, path) ?? null, file: source.file}
}

/** Sets a preference or a key of the cluster file; `undefined` takes it away. BAD_INPUT if it cannot be so. */
export async function setSetting(
  tools: Door,
  {key, value}: {readonly key: string; readonly value: string | undefined},
): Promise<Setting> {
  const preference = preferenceOf(key)
  if (preference) {
    // Else every command after this one would fail.
    if (preference === 'currentCluster' && value !== undefined) readCluster(tools.paths, value)
    await writePreference(tools.paths, {key: preference, value}, tools.signal)
    return {key, value: value ?? null, file: preferencesFile(tools.paths)}
  }
  const {yamlValue} = await import('../state/edit.ts')
  const meant = value === undefined ? undefined : yamlValue(value)
  await tools.editCluster((edit) => {
    const path = pathOf(key, edit.cluster)
    if (path[0] === 'nodes' && path.length < 3)
      throw new OllamaxError('BAD_INPUT', `${key} is not a single setting`, {
        suggestions: ['nodes come and go by: ollamax node add, ollamax node remove'],
      })
    if (key === 'policy' && typeof meant === 'string') policyNamed(meant)
    edit.set(path, meant)
  })
  return {key, value: meant ?? null, file: sourceOf(tools).file}
}

/** The model that this user prefers. BAD_INPUT if there is none. */
export function defaultModel(tools: Pick<Tools, 'paths'>): string {
  const model = readPreferences(tools.paths).defaultModel
  if (model) return model
  throw new OllamaxError('BAD_INPUT', 'no model is given', {
    suggestions: ['name one', 'or choose one for always: ollamax config set default-model MODEL'],
  })
}

/** All settings that are set, one per leaf: preferences first, then the cluster file in its own order. */
export async function listSettings(tools: Door): Promise<Setting[]> {
  const preferences = readPreferences(tools.paths)
  const mine = Object.entries(PREFERENCES).flatMap(([key, name]) => {
    const value = preferences[name]
    return value === undefined ? [] : [{key, value, file: preferencesFile(tools.paths)}]
  })
  const {settingAt} = await import('../state/edit.ts')
  const source = sourceOf(tools)
  const leaves = CLUSTER_KEYS.flatMap((key) => leavesOf(key, settingAt(source, [key])))
  return [...mine, ...leaves.map(([key, value]) => ({key, value, file: source.file}))]
}

/** A cluster file as it is; the text of an empty one where there is none yet (`isNew`). */
export interface Source {
  readonly name: string
  readonly text: string
  readonly file: string
  readonly isNew: boolean
}

/** The file of the chosen cluster. CLUSTER_NOT_FOUND, STATE_IO. */
export function sourceOf(tools: Pick<Tools, 'paths' | 'clusterName'>): Source {
  const name = tools.clusterName()
  const found = readCluster(tools.paths, name)
  const text = found ?? emptyCluster(name)
  return {name, text, file: clusterFile(tools.paths, name), isNew: found === undefined}
}

const preferenceOf = (key: string): keyof Preferences | undefined =>
  Object.hasOwn(PREFERENCES, key) ? PREFERENCES[key] : undefined

/** `nodes.gpu-1.labels.a.b` as steps. A node's name may hold dots: the longest that fits is meant. */
function pathOf(key: string, cluster: Cluster): string[] {
  const [first = '', ...rest] = key.split('.')
  if (!CLUSTER_KEYS.includes(first) || rest.includes('')) {
    const known = [...Object.keys(PREFERENCES), ...CLUSTER_KEYS]
    const near = nearest(first, known)
    throw new OllamaxError('BAD_INPUT', `there is no setting "${key}"`, {
      suggestions: [
        ...(near && near !== first ? [`did you mean "${near}"?`] : []),
        `settings are ${known.join(', ')}, and what is below them, for example defaults.readTimeout or nodes.NAME.labels.KEY`,
      ],
    })
  }
  if (first !== 'nodes' || rest.length === 0) return [first, ...rest]
  const after = rest.join('.')
  const name = cluster.nodes
    .map((node) => node.name)
    .filter((one) => after === one || after.startsWith(`${one}.`))
    .sort((a, b) => b.length - a.length)[0]
  if (name === undefined) return [first, ...rest]
  const below = after
    .slice(name.length + 1)
    .split('.')
    .filter(Boolean)
  const free = below.findIndex((step) => FREE_KEYS.has(step))
  const steps =
    free < 0 || free === below.length - 1
      ? below
      : [...below.slice(0, free + 1), below.slice(free + 1).join('.')]
  return [first, name, ...steps]
}

function leavesOf(key: string, value: unknown): Array<readonly [string, unknown]> {
  if (value === undefined || value === null) return []
  if (typeof value !== 'object') return [[key, value]]
  return Object.entries(value).flatMap(([step, inner]) => {
    const name: unknown = Array.isArray(value) ? (inner as {name?: unknown}).name : step
    return key === 'nodes' || step !== 'name' || !key.startsWith('nodes.')
      ? leavesOf(`${key}.${String(name)}`, inner)
      : []
  })
}
