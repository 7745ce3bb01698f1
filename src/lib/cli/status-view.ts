import {setTimeout as pause} from 'node:timers/promises'
import type {LoadedModel} from '../cluster/reading.ts'
import {roundDuration} from '../cluster/size.ts'
import type {ClusterStatus, NodeStatus} from '../jobs/read-status.ts'
import {type Cell, forPeople, table} from './output.ts'
import {jsonText} from './paint.ts'

const COLUMNS = ['NAME', 'STATE', 'VERSION', 'ANSWERED', 'MODELS', 'LOADED', 'IN FLIGHT', 'REASON']

/** The status for people, or as stable lines when piped. */
export async function describeStatus(status: ClusterStatus): Promise<string> {
  // The column stands at the end, and only where it was asked for.
  const drift = status.nodes.some((node) => node.drift !== undefined)
  const columns = drift ? [...COLUMNS, 'DRIFT'] : COLUMNS
  const rows = await table(
    columns,
    status.nodes.map((node) => [...row(node), ...(drift ? [driftOf(node)] : [])]),
  )
  if (!forPeople() || status.nodes.length === 0) return rows
  const drained = status.nodes.filter((node) => node.drained).length
  const more = drained > 0 ? `, ${drained} drained` : ''
  return `${rows}\n\n${status.up} of ${status.nodes.length} nodes up${more} (cluster ${status.cluster})`
}

function row(node: NodeStatus): Cell[] {
  const state = node.drained ? `${node.state},drained` : node.state
  return [
    node.name,
    {text: state, tone: node.state === 'down' ? 'bad' : node.drained ? 'warn' : 'good'},
    node.version ?? '-',
    node.latencyMs === undefined ? '-' : roundDuration(node.latencyMs),
    node.models === undefined ? '-' : String(node.models),
    node.loaded?.map(describeLoaded).join(', ') || '-',
    String(node.inFlight),
    node.reason === undefined ? '-' : {text: node.reason, tone: 'bad'},
  ]
}

function driftOf({drift = 'unknown'}: NodeStatus): Cell {
  if (drift === 'unknown') return {text: drift, tone: 'warn'}
  return drift.length === 0 ? 'none' : {text: drift.join('; '), tone: 'warn'}
}

/** `tiny:latest (GPU)`, `(43% GPU)`, `(CPU)`. */
function describeLoaded({name, sizeBytes, vramBytes}: LoadedModel): string {
  if (sizeBytes <= 0) return name
  const share = Math.min(1, vramBytes / sizeBytes)
  const where = share === 0 ? 'CPU' : share === 1 ? 'GPU' : `${Math.round(share * 100)}% GPU`
  return `${name} (${where})`
}

export interface WatchOptions {
  readonly intervalMs: number
  readonly signal: AbortSignal
  /** One status per line, as JSON. */
  readonly json: boolean
}

/**
 * Shows the status again and again until aborted: in place on a terminal, else one after the other with
 * an empty line between. Changes no mode of the terminal, so that there is nothing to restore.
 */
export async function watchStatus(
  read: () => Promise<ClusterStatus>,
  {intervalMs, signal, json}: WatchOptions,
): Promise<never> {
  const {stdout} = process
  const movable = stdout.isTTY && process.env.TERM !== 'dumb'
  let height = 0
  for (;;) {
    const status = await read()
    if (json) stdout.write(`${jsonText(status)}\n`)
    else {
      const lines = `${await describeStatus(status)}\n`.split('\n')
      // What is higher than the screen could not be drawn over.
      const shown = movable ? lines.slice(0, (stdout.rows ?? 24) - 1) : lines
      if (movable && height > 0) stdout.write(`\u001b[${height}A\r\u001b[J`)
      stdout.write(`${shown.join('\n')}\n`)
      height = shown.length
    }
    await pause(intervalMs, undefined, {signal})
  }
}
