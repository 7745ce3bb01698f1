import {parseDuration} from '../cluster/size.ts'
import {askHolder} from '../holder/ask-holder.ts'
import {type HolderPlace, holderPlace} from '../holder/place.ts'
import type {HolderStatus} from '../holder/protocol.ts'
import type {Tools} from './tools.ts'

declare const OLLAMAX_VERSION: string

type Needs = Pick<Tools, 'env' | 'paths' | 'clusterName' | 'signal'>

const IDLE_MS = 600_000

/**
 * Is the connection holder of the current cluster; false if another one is already. It ends after
 * OLLAMAX_HOLDER_IDLE, or what the cluster file says (`defaults.reuseIdle`), or ten minutes unused.
 */
export async function serveHolder(tools: Needs & Pick<Tools, 'cluster'>): Promise<boolean> {
  const {runHolder} = await import('../holder/run-holder.ts')
  const wanted = tools.env.OLLAMAX_HOLDER_IDLE
  // A file that cannot be read is no reason to hold nothing: its reader will be told.
  const cluster = await tools.cluster().catch(() => undefined)
  const idleMs = wanted ? parseDuration(wanted) : (cluster?.defaults?.reuseIdleMs ?? IDLE_MS)
  return runHolder({place: placeOf(tools), idleMs, signal: tools.signal})
}

/** What the holder of the current cluster holds; undefined if none runs. */
export async function readHolder(tools: Needs): Promise<HolderStatus | undefined> {
  const reply = await askHolder(placeOf(tools).control, {op: 'status'}, tools.signal)
  return reply?.kind === 'status' ? reply.status : undefined
}

/** Tells the holder to close its connections and end; false if none runs. */
export async function stopHolder(tools: Needs): Promise<boolean> {
  const reply = await askHolder(placeOf(tools).control, {op: 'stop'}, tools.signal)
  return reply?.kind === 'stopping'
}

/** Has the holder close its connection to a node that was removed. Where that fails, idleness does it. */
export async function dropHeld(tools: Needs, name: string): Promise<void> {
  try {
    await askHolder(placeOf(tools).control, {op: 'drop', name}, tools.signal)
  } catch {
    // The node is out of the cluster all the same.
  }
}

function placeOf({env, paths, clusterName}: Needs): HolderPlace {
  const version = typeof OLLAMAX_VERSION === 'undefined' ? 'dev' : OLLAMAX_VERSION
  return holderPlace(paths.run, clusterName(), {env, version})
}
