import {setTimeout as pause} from 'node:timers/promises'
import type {Reporter} from '../../cluster/report.ts'
import {OllamaxError} from '../../errors.ts'
import {awaitQuiet} from '../../provision/in-flight.ts'
import type {Remote} from '../../ssh/remote.ts'
import type {Tools} from '../tools.ts'

/** A gateway looks at the cluster file every second; until then requests may still be sent there. */
const SEEN_MS = 2500
/** How long is waited where a machine cannot tell whether requests run. */
const BLIND_MS = 30_000

export interface DrainOptions {
  readonly name: string
  readonly port: number
  /** Longest wait for the requests that run there. */
  readonly limitMs: number
  readonly report: Reporter
}

type DrainTools = Pick<Tools, 'editCluster' | 'signal'>

/**
 * Lets no new request go to a node, and waits until those that run there have ended. TIMEOUT
 * if they do not end; NODE_NOT_FOUND if somebody removed it meanwhile.
 */
export async function drainNode(
  tools: DrainTools,
  remote: Remote,
  {name, port, limitMs, report}: DrainOptions,
): Promise<void> {
  const {signal} = tools
  const startMs = Date.now()
  report({kind: 'start', subject: name, step: 'drain'})
  if (await markDrained(tools, name, true)) await pause(SEEN_MS, undefined, {signal})
  const onBusy = (requests: number) => {
    const many = requests === 1 ? 'one request' : `${requests} requests`
    report({kind: 'note', subject: name, text: `${many} still run there`})
  }
  const seen = await awaitQuiet(remote, {port, limitMs, onBusy, signal})
  if (seen === 'busy') throw stillBusy(name, limitMs)
  if (seen === 'unknown') {
    const waitMs = Math.min(limitMs, BLIND_MS)
    const text = `it cannot tell whether requests run there (no ss): waits ${waitMs / 1000} s`
    report({kind: 'warn', subject: name, text})
    await pause(waitMs, undefined, {signal})
  }
  report({kind: 'done', subject: name, step: 'drain', ms: Date.now() - startMs})
}

/** Sets or takes away the mark in the cluster file; true: it was otherwise before. */
export function markDrained(
  tools: DrainTools,
  name: string,
  drained: boolean,
  signal = tools.signal,
): Promise<boolean> {
  return tools.editCluster(
    (edit) => {
      const node = edit.cluster.nodes.find((it) => it.name === name)
      if (node?.drained === drained || (!node && !drained)) return false
      edit.set(['nodes', name, 'drained'], drained ? true : undefined)
      return true
    },
    {signal},
  )
}

function stillBusy(name: string, limitMs: number): OllamaxError {
  return new OllamaxError(
    'TIMEOUT',
    `requests still run on ${name} after ${limitMs / 1000} s without new ones; it was left as it was`,
    {
      suggestions: [
        'wait longer: --drain-timeout 1h',
        'a client or a gateway that does not read this cluster file may send requests there: end it first',
      ],
    },
  )
}
