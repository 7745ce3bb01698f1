import {describeTarget} from './describe-node.ts'
import type {LiveFrame, LiveNode} from './live.ts'
import type {NodeSpec} from './node.ts'
import type {Reading} from './reading.ts'

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
    models: reading.models.map(({name: model, digest, sizeBytes}) => ({
      name: model,
      digest,
      sizeBytes,
    })),
    ...(version === undefined ? {} : {version}),
  }
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

/** True if the one tells nothing new beside when it was read, and how quick that was. */
export function isAsBefore(before: LiveNode, after: LiveNode): boolean {
  return told(before) === told(after)
}

function told(node: LiveNode): string {
  return JSON.stringify({...node, readAtMs: 0, latencyMs: 0})
}
