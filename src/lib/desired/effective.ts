import type {Cluster, NodeSpec, WantedOllama} from '../cluster/node.ts'

/** True if the node has all of these labels. */
export function hasLabels(
  node: Pick<NodeSpec, 'labels'>,
  labels: Readonly<Record<string, string>>,
): boolean {
  return Object.entries(labels).every(([key, value]) => node.labels[key] === value)
}

/**
 * What Ollama should be like on a node: what its own entry says, before what later groups say, before what
 * earlier ones say; each variable by itself.
 */
export function effectiveOllama(
  cluster: Pick<Cluster, 'groups'>,
  node: Pick<NodeSpec, 'labels' | 'ollama'>,
): WantedOllama {
  const all = [
    ...(cluster.groups ?? []).filter(({labels}) => hasLabels(node, labels)).map((it) => it.ollama),
    node.ollama,
  ]
  const env = Object.assign({}, ...all.map((one) => one.env ?? {})) as Record<string, string>
  const version = all.findLast((one) => one.version !== undefined)?.version
  const {port} = node.ollama
  return {
    ...(version === undefined ? {} : {version}),
    ...(port === undefined ? {} : {port}),
    ...(Object.keys(env).length === 0 ? {} : {env}),
  }
}

/**
 * What is to stand in a node's own entry of all that was made so on it: not what its groups give it anyway, so that they
 * can be changed later. `said` stands there whatever groups say.
 */
export function ownOllama(
  cluster: Pick<Cluster, 'groups'>,
  node: Pick<NodeSpec, 'labels' | 'ollama'>,
  said: WantedOllama,
): WantedOllama {
  const given = effectiveOllama(cluster, {labels: node.labels, ollama: {}})
  const {version, port} = node.ollama
  const keepsVersion = said.version !== undefined || version !== given.version
  const env = Object.entries(node.ollama.env ?? {}).filter(
    ([name, value]) => said.env?.[name] !== undefined || given.env?.[name] !== value,
  )
  return {
    ...(version !== undefined && keepsVersion ? {version} : {}),
    ...(port === undefined ? {} : {port}),
    ...(env.length > 0 ? {env: Object.fromEntries(env)} : {}),
  }
}

/** What a node's own entry keeps its groups from changing, in words; undefined: nothing. */
export function hiddenVersion(
  cluster: Pick<Cluster, 'groups'>,
  node: Pick<NodeSpec, 'name' | 'labels' | 'ollama'>,
): string | undefined {
  const given = effectiveOllama(cluster, {labels: node.labels, ollama: {}}).version
  const own = node.ollama.version
  if (own === undefined || given === undefined || own === given) return undefined
  return `${node.name}: its own version ${own} goes before ${given} of its group`
}
