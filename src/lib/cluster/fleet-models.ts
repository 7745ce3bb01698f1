import {modelKey, shortModelName} from './model-name.ts'
import type {ModelTag, Reading} from './reading.ts'

/** The same tag may stand for different content on different nodes. */
export interface ModelVersion {
  readonly digest: string
  readonly sizeBytes: number
  /** Nodes that have exactly this. */
  readonly nodes: readonly string[]
}

/** A model as the fleet has it. */
export interface FleetModel {
  readonly name: string
  /** The most frequent one first; of equals the one that was changed last. */
  readonly versions: readonly ModelVersion[]
  /** Nodes that have it in memory. */
  readonly loaded: readonly string[]
  /** True where nodes have different content under this name. */
  readonly drift: boolean
  readonly family?: string
  readonly parameterSize?: string
  readonly quantization?: string
  readonly contextLength?: number
  /** Absent: no node told. */
  readonly capabilities?: readonly string[]
}

interface Found {
  readonly node: string
  readonly tag: ModelTag
  readonly loaded: boolean
}

/** All models of all nodes that answered, by name. */
export function fleetModels(readings: readonly Reading[]): FleetModel[] {
  const byKey = new Map<string, Found[]>()
  for (const reading of readings) {
    if (reading.kind !== 'up') continue
    // A runner is listed under the name that loaded it, and serves all names of the same content.
    const digests = new Set(reading.loaded.map((model) => model.digest))
    for (const tag of reading.models) {
      const key = modelKey(tag.name)
      const found = {node: reading.node, tag, loaded: digests.has(tag.digest)}
      append(byKey, key, found)
    }
  }
  return [...byKey.values()].map(modelOf).sort((a, b) => a.name.localeCompare(b.name, 'en'))
}

function modelOf(all: readonly Found[]): FleetModel {
  const versions = versionsOf(all)
  const first = all.find(({tag}) => tag.digest === versions[0]?.digest)?.tag
  const {family, parameterSize, quantization, contextLength} = first ?? {}
  const capabilities = all.find(({tag}) => tag.capabilities)?.tag.capabilities
  return {
    name: shortModelName(first?.name ?? ''),
    versions,
    loaded: all.filter(({loaded}) => loaded).map(({node}) => node),
    drift: versions.length > 1,
    ...(family === undefined ? {} : {family}),
    ...(parameterSize === undefined ? {} : {parameterSize}),
    ...(quantization === undefined ? {} : {quantization}),
    ...(contextLength === undefined ? {} : {contextLength}),
    ...(capabilities === undefined ? {} : {capabilities}),
  }
}

function versionsOf(all: readonly Found[]): ModelVersion[] {
  const byDigest = new Map<string, Found[]>()
  for (const found of all) append(byDigest, found.tag.digest, found)
  const newest = (found: readonly Found[]) =>
    found.reduce((latest, {tag}) => (tag.modifiedAt > latest ? tag.modifiedAt : latest), '')
  return [...byDigest.entries()]
    .sort(([a, x], [b, y]) => y.length - x.length || compare(newest(y), newest(x)) || compare(a, b))
    .map(([digest, found]) => ({
      digest,
      sizeBytes: found[0]?.tag.sizeBytes ?? 0,
      nodes: found.map(({node}) => node),
    }))
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)

function append(groups: Map<string, Found[]>, key: string, found: Found): void {
  const group = groups.get(key)
  if (group) group.push(found)
  else groups.set(key, [found])
}
