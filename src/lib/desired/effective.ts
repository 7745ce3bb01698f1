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
