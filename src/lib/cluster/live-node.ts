import {describeTarget} from './describe-node.ts'
import type {LiveFrame, LiveNode} from './live.ts'
import type {NodeSpec} from './node.ts'
import type {ModelTag, Reading} from './reading.ts'

/** A node as the cluster file and its last reading tell of it; who knows more adds it. */
export function liveNodeOf(
  spec: NodeSpec,
  reading: Reading | undefined,
  more: Pick<LiveNode, 'inFlight'> &
    Partial<Pick<LiveNode, 'slots' | 'tokensPerS' | 'breaker' | 'machine'>>,
): LiveNode {
  const {name, kind, labels, drained} = spec
  const common = {name, kind, target: describeTarget(spec), labels, drained, ...more}
  if (!reading) return {...common, state: 'unread', loaded: [], models: []}
  const readAtMs = reading.atMs
  if (reading.kind === 'down') {
    const {message: reason, code} = reading
    return {...common, state: 'down', reason, code, readAtMs, loaded: [], models: []}
  }
  const {version, loaded} = reading
  return {
    ...common,
    state: 'up',
    readAtMs,
    latencyMs: Math.round(reading.latencyMs * 10) / 10,
    loaded,
    models: modelsOf(reading.models),
    ...(version === undefined ? {} : {version}),
  }
}

/** Most readings share what is on disk with the one before. */
const KNOWN_MODELS = new WeakMap<readonly ModelTag[], LiveNode['models']>()

function modelsOf(tags: readonly ModelTag[]): LiveNode['models'] {
  const known = KNOWN_MODELS.get(tags)
  if (known) return known
  const models = tags.map(({name, digest, sizeBytes}) => ({name, digest, sizeBytes}))
  KNOWN_MODELS.set(tags, models)
  return models
}

/** Brings nodes, by their names, to where a frame leaves them: with what it tells, without those that its order leaves out. */
export function takeFrame(
  nodes: Map<string, LiveNode>,
  frame: Pick<LiveFrame, 'whole' | 'nodes' | 'order'>,
): void {
  if (frame.whole) nodes.clear()
  for (const node of frame.nodes) nodes.set(node.name, node)
  if (!frame.order) return
  const order = new Set(frame.order)
  for (const name of nodes.keys()) if (!order.has(name)) nodes.delete(name)
}

/** True if the one tells nothing new beside when it was read, how quick that was, and what it has on disk. */
export function isAsBefore(before: LiveNode, after: LiveNode): boolean {
  return told(before) === told(after)
}

/** True if both have the same on disk. */
export function sameModels({models: a}: LiveNode, {models: b}: LiveNode): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b)
}

function told(node: LiveNode): string {
  return JSON.stringify({...node, readAtMs: 0, latencyMs: 0, models: 0})
}
