import {POLICY_NAMES} from '../balancer/policies.ts'
import {describeTarget} from '../cluster/describe-node.ts'
import type {Cluster} from '../cluster/node.ts'
import {clusterNames} from '../state/load.ts'
import {type LastReading, lastReadings} from '../state/readings.ts'
import {preferenceValues, SETTING_KEYS} from './config-settings.ts'
import type {Tools} from './tools.ts'

/** A value that a flag or argument may have, and what it stands for. */
export interface KnownValue {
  readonly value: string
  readonly about?: string
}

type Door = Pick<Tools, 'cluster' | 'clusterName' | 'paths' | 'env'>

interface Asked {
  readonly tools: Door
  /** The words before it on the command line: a setting's values depend on its key. */
  readonly given: readonly string[]
}

/** What each kind of value is taken from: files of ours and nothing else, since a person waits at a key. */
const KINDS = {
  addresses: async () => {
    const {networkInterfaces} = await import('node:os')
    return Object.entries(networkInterfaces()).flatMap(([about, found]) =>
      (found ?? [])
        .filter(({family, internal}) => family === 'IPv4' && !internal)
        .map(({address}) => ({value: address, about})),
    )
  },
  aliases: async ({tools}: Asked) => aliasesOf(await tools.cluster()),
  capabilities: async () =>
    plain(['completion', 'embedding', 'insert', 'thinking', 'tools', 'vision']),
  clusters: async ({tools}: Asked) => {
    const current = tools.clusterName()
    return clusterNames(tools.paths).map((value) =>
      value === current ? {value, about: 'the current one'} : {value},
    )
  },
  hosts: async ({tools}: Asked) => {
    const {hostNames} = await import('../ssh/ssh-config.ts')
    const file = tools.env.OLLAMAX_SSH_CONFIG
    const names = await hostNames({env: tools.env, ...(file ? {file} : {})}).catch(() => [])
    return [
      ...names.map((value) => ({value, about: 'in your ssh_config'})),
      {value: 'local', about: 'the Ollama of this machine'},
      {value: 'embedded', about: 'a small engine on this machine'},
    ]
  },
  'json-or-file': async () => plain(['json']),
  keys: async ({tools}: Asked) => {
    const {loadKeys} = await import('../state/keys-file.ts')
    const keys = await loadKeys(tools.paths, tools.clusterName())
    return keys.map(({name, id}) => ({value: name, about: id}))
  },
  'label-changes': async ({tools}: Asked) => {
    const cluster = await tools.cluster()
    const gone = [...new Set(cluster.nodes.flatMap(({labels}) => Object.keys(labels)))].sort()
    return [...labelsOf(cluster), ...gone.map((key) => ({value: `${key}-`, about: 'take it away'}))]
  },
  labels: async ({tools}: Asked) => labelsOf(await tools.cluster()),
  models: async ({tools}: Asked) => {
    const cluster = await tools.cluster()
    return modelsOf(cluster, lastReadings(tools.paths, cluster.name))
  },
  nodes: async ({tools, given}: Asked) => {
    const cluster = await tools.cluster()
    const known = lastReadings(tools.paths, cluster.name)
    return cluster.nodes
      .filter(({name}) => !given.includes(name))
      .map((node) => {
        const state = node.drained ? 'drained' : (known.get(node.name)?.state ?? 'not seen yet')
        return {value: node.name, about: `${state}, ${describeTarget(node)}`}
      })
  },
  options: async () => plain(OPTIONS.map((name) => `${name}=`)),
  policies: async () => plain(POLICY_NAMES),
  selectors: async ({tools}: Asked) => {
    const cluster = await tools.cluster()
    const keys = [...new Set(cluster.nodes.flatMap(({labels}) => Object.keys(labels)))].sort()
    return [...labelsOf(cluster), ...keys.map((value) => ({value, about: 'any value'}))]
  },
  'setting-values': async ({tools, given: [key = '']}: Asked): Promise<readonly KnownValue[]> => {
    if (key === 'cluster') return KINDS.clusters({tools, given: []})
    if (key === 'default-model') return KINDS.models({tools, given: []})
    if (key === 'policy') return KINDS.policies()
    return plain(preferenceValues(key))
  },
  settings: async ({tools}: Asked) => {
    const {nodes} = await tools.cluster().catch(() => ({nodes: []}))
    return plain([...SETTING_KEYS, ...nodes.map(({name}) => `nodes.${name}.`)])
  },
  versions: async ({tools}: Asked) => {
    const seen = [...lastReadings(tools.paths, tools.clusterName()).values()]
    return by(
      seen.flatMap(({version, node}) => (version === undefined ? [] : [[version, node] as const])),
      'on',
    )
  },
} satisfies Readonly<Record<string, (asked: Asked) => Promise<readonly KnownValue[]>>>

export type KnownKind = keyof typeof KINDS

/** Options of a model run that Ollama knows; one that it does not know it passes over. */
const OPTIONS = [
  ...['frequency_penalty', 'main_gpu', 'min_p', 'num_batch', 'num_ctx', 'num_gpu', 'num_keep'],
  ...['num_predict', 'num_thread', 'presence_penalty', 'repeat_last_n', 'repeat_penalty', 'seed'],
  ...['stop', 'temperature', 'top_k', 'top_p', 'typical_p', 'use_mmap'],
]

/**
 * The values that are known of a kind, without any network: what the cluster file says, and what commands before this
 * one saw. None where a file of ours is broken: the command itself will say so.
 */
export async function knownValues(
  tools: Door,
  {kind, given}: {readonly kind: KnownKind; readonly given: readonly string[]},
): Promise<readonly KnownValue[]> {
  try {
    return await KINDS[kind]({tools, given})
  } catch {
    return []
  }
}

const plain = (values: readonly string[]): KnownValue[] => values.map((value) => ({value}))

const aliasesOf = ({aliases = {}}: Cluster): KnownValue[] =>
  Object.entries(aliases).map(([value, model]) => ({value, about: `another name of ${model}`}))

function labelsOf({nodes}: Cluster): KnownValue[] {
  return by(
    nodes.flatMap(({name, labels}) =>
      Object.entries(labels).map(([key, value]) => [`${key}=${value}`, name] as const),
    ),
    'on',
  )
}

function modelsOf(cluster: Cluster, known: ReadonlyMap<string, LastReading>): KnownValue[] {
  const nodes = new Set(cluster.nodes.map(({name}) => name))
  const seen = [...known.values()]
    .filter(({node}) => nodes.has(node))
    .flatMap(({node, names = [], loaded}) =>
      [...new Set([...names, ...loaded])].map((name) => [name, node] as const),
    )
  const there = by(seen, 'on')
  const wanted = (cluster.models ?? [])
    .filter(({name}) => !there.some(({value}) => value === name))
    .map(({name}) => ({value: name, about: 'wanted by the cluster file'}))
  return [...there, ...wanted, ...aliasesOf(cluster)]
}

/** Each value once, sorted, with those that have it. */
function by(
  pairs: readonly (readonly [value: string, owner: string])[],
  word: string,
): KnownValue[] {
  const owners = new Map<string, string[]>()
  for (const [value, owner] of pairs) owners.set(value, [...(owners.get(value) ?? []), owner])
  return [...owners]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([value, names]) => ({value, about: `${word} ${few(names)}`}))
}

const few = (names: readonly string[]) =>
  names.length <= 3
    ? names.join(', ')
    : `${names.slice(0, 2).join(', ')} and ${names.length - 2} more`
