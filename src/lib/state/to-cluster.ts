import {
  type Cluster,
  type ClusterDefaults,
  type GatewaySpec,
  HOOKS,
  type Hook,
  type NodeGroup,
  type NodeSpec,
  type WantedModel,
} from '../cluster/node.ts'
import {parseDuration} from '../cluster/size.ts'
import type {ClusterFile, NodeEntry} from './schema.ts'

type GroupEntry = NonNullable<ClusterFile['groups']>[number]
type ModelEntry = NonNullable<ClusterFile['models']>[number]

/** The valid file's meaning, with defaults filled in and units resolved. */
export function toCluster(name: string, file: ClusterFile): Cluster {
  const {readTimeout, keepAlive, reuseIdle} = file.defaults ?? {}
  const defaults: ClusterDefaults = {
    ...(readTimeout === undefined ? {} : {readTimeoutMs: parseDuration(readTimeout)}),
    ...(keepAlive === undefined
      ? {}
      : {keepAliveSeconds: keepAlive === 'forever' ? -1 : parseDuration(keepAlive) / 1000}),
    ...(reuseIdle === undefined ? {} : {reuseIdleMs: parseDuration(reuseIdle)}),
  }
  return {
    name,
    nodes: (file.nodes ?? []).map(toNode),
    ...(file.policy === undefined ? {} : {policy: file.policy}),
    ...(Object.keys(defaults).length === 0 ? {} : {defaults}),
    ...(file.gateway === undefined ? {} : {gateway: toGateway(file.gateway)}),
    ...(file.groups ? {groups: file.groups.map(toGroup)} : {}),
    ...(file.models ? {models: file.models.map(toModel)} : {}),
    ...(file.aliases ? {aliases: file.aliases} : {}),
    ...(file.hooks ? {hooks: toHooks(file.hooks)} : {}),
  }
}

function toGateway({url, key, ca, hedge}: NonNullable<ClusterFile['gateway']>): GatewaySpec {
  return {
    url,
    ...(key === undefined ? {} : {key}),
    ...(ca === undefined ? {} : {ca}),
    ...(hedge === undefined ? {} : {hedge}),
  }
}

function toHooks(hooks: NonNullable<ClusterFile['hooks']>): NonNullable<Cluster['hooks']> {
  const given = HOOKS.flatMap((name): [string, Hook][] => {
    const hook = hooks[name]
    if (!hook) return []
    const {run, timeout} = hook
    return [[name, {run, ...(timeout === undefined ? {} : {timeoutMs: parseDuration(timeout)})}]]
  })
  return Object.fromEntries(given)
}

const texts = (of: Readonly<Record<string, string | number | boolean>> = {}) =>
  Object.fromEntries(Object.entries(of).map(([key, value]) => [key, String(value)]))

function toGroup({labels, ollama: {version, env}}: GroupEntry): NodeGroup {
  return {
    labels: texts(labels),
    ollama: {
      ...(version === undefined ? {} : {version}),
      ...(env === undefined ? {} : {env: texts(env)}),
    },
  }
}

function toModel({name, replicas, placement, warm, pin, context}: ModelEntry): WantedModel {
  return {
    name,
    replicas: replicas ?? 1,
    placement: {
      labels: texts(placement?.labels),
      strategy: placement?.strategy ?? 'spread',
    },
    warm: (warm || pin) ?? false,
    pin: pin ?? false,
    ...(context === undefined ? {} : {context}),
  }
}

function toNode(entry: NodeEntry): NodeSpec {
  const {version, port, env} = entry.ollama ?? {}
  const common = {
    name: entry.name,
    labels: texts(entry.labels),
    drained: entry.drained ?? false,
    ollama: {
      ...(version === undefined ? {} : {version}),
      ...(port === undefined ? {} : {port}),
      ...(env === undefined ? {} : {env: texts(env)}),
    },
  }
  if (entry.ssh !== undefined)
    return {
      ...common,
      kind: 'ssh',
      ssh: entry.ssh,
      ...(entry.hostKey === undefined ? {} : {hostKey: entry.hostKey}),
      ...(entry.install === undefined ? {} : {install: entry.install}),
    }
  if (entry.url !== undefined)
    return {
      ...common,
      kind: 'direct',
      url: entry.url,
      headers: entry.headers ?? {},
      ...(entry.ca === undefined ? {} : {ca: entry.ca}),
    }
  return {...common, kind: 'embedded'}
}
