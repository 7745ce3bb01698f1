import {join} from 'node:path'
import type {BalanceRequest, Excluded} from '../balancer/candidates.ts'
import type {PolicyName, Ranked} from '../balancer/policies.ts'
import {learn, learnFailure, type Rate} from '../balancer/rates.ts'
import {type Failure, judge, type Verdict} from '../balancer/verdict.ts'
import type {AnswerStats} from '../cluster/answer-stats.ts'
import {modelKey} from '../cluster/model-name.ts'
import type {Cluster, NodeSpec} from '../cluster/node.ts'
import {OllamaxError} from '../errors.ts'
import type {Endpoint} from '../ollama/endpoint.ts'
import {changeRate} from '../state/rates-file.ts'
import {uptimeMs} from './deadline.ts'
import type {Tools} from './tools.ts'
import {watchNode} from './watch-node.ts'

export type DispatchTools = Pick<Tools, 'cluster' | 'endpoint' | 'paths'>

/** One node that was asked, and how it went. */
export interface Attempt {
  readonly node: string
  readonly ok: boolean
  readonly ms: number
  /** Absent when it went well. */
  readonly code?: string
  readonly message?: string
}

/** What happens on the way to an answer, for those who watch. */
export type DispatchNote =
  | {readonly kind: 'reading'; readonly nodes: readonly string[]}
  | {
      readonly kind: 'ranked'
      readonly policy: PolicyName
      readonly ranked: readonly Ranked[]
      readonly excluded: readonly Excluded[]
    }
  | {readonly kind: 'asking'; readonly node: string; readonly ranked?: Ranked}
  | {readonly kind: 'failed'; readonly node: string; readonly message: string}
  /** Nothing is being waited for: the terminal is needed for something else. */
  | {readonly kind: 'idle'}

/** The node to be asked now. */
export interface Asked {
  readonly node: string
  readonly endpoint: Endpoint
  /** Aborted with the order's own signal, and when the node no longer answers at all. */
  readonly signal: AbortSignal
  /** To be called with each sign of life. */
  readonly alive: () => void
}

/** One request that any fitting node may answer. */
export interface Order<T> {
  readonly request: BalanceRequest
  /** Only this node, also if it is drained. */
  readonly node?: string | undefined
  readonly policy?: string | undefined
  readonly signal: AbortSignal
  /** Asks one node; what it throws decides whether another one is asked. */
  readonly ask: (to: Asked) => Promise<{readonly value: T; readonly sample: AnswerStats}>
  /** What was shown of an answer; nobody else is asked then. Undefined: nothing yet. */
  readonly shown?: () => string | undefined
  readonly note?: (note: DispatchNote) => void
}

export interface Dispatched<T> {
  readonly value: T
  readonly node: string
  readonly attempts: readonly Attempt[]
}

/** An attempt that failed, with what was made of it. */
export interface Failed {
  readonly node: string
  readonly error: OllamaxError
  readonly verdict: Verdict
  readonly ms: number
}

/** Asks one node and keeps what is to be learned from it. Throws what ends the whole order. */
export async function attempt<T>(
  tools: DispatchTools,
  order: Order<T>,
  {cluster, node}: {readonly cluster: Cluster; readonly node: NodeSpec},
): Promise<Dispatched<T> | Failed> {
  const startedMs = uptimeMs()
  const at = {node: node.name, model: modelKey(order.request.model)}
  const keep = (change: (before: Rate | undefined) => Rate) =>
    changeRate(ratesPath(tools, cluster), at, change)
  try {
    const endpoint = await tools.endpoint(node)
    const {value, sample} = await watched(order, {node: node.name, endpoint})
    keep((before) => learn(before, sample, Date.now()))
    const done = {node: node.name, ok: true, ms: since(startedMs)}
    return {value, node: node.name, attempts: [done]}
  } catch (error) {
    order.signal.throwIfAborted()
    const failure = failureOf(error)
    if (!failure || !OllamaxError.is(error)) throw error
    const verdict = judge(failure)
    if (verdict === 'broken') keep((before) => learnFailure(before, Date.now()))
    const shown = order.shown?.()
    if (shown !== undefined) throw cut(node.name, shown, error)
    order.note?.({kind: 'failed', node: node.name, message: error.message})
    return {node: node.name, error, verdict, ms: since(startedMs)}
  }
}

const since = (startedMs: number) => Math.round(uptimeMs() - startedMs)

/** Where the learned rates of a cluster are kept. */
export const ratesPath = (tools: Pick<Tools, 'paths'>, cluster: Cluster) =>
  join(tools.paths.cache, 'rates', `${cluster.name}.json`)

/** Where the leases of a cluster are kept. */
export const leaseDir = (tools: Pick<Tools, 'paths'>, cluster: Cluster) =>
  join(tools.paths.run, 'leases', cluster.name)

async function watched<T>(
  order: Order<T>,
  to: Pick<Asked, 'node' | 'endpoint'>,
): Promise<{readonly value: T; readonly sample: AnswerStats}> {
  const watch = watchNode(to.endpoint, order.signal)
  try {
    return await order.ask({...to, signal: watch.signal, alive: watch.alive})
  } finally {
    watch.close()
  }
}

function cut(node: string, shown: string, cause: OllamaxError): OllamaxError {
  return new OllamaxError(
    'STREAM_CUT',
    `${node} stopped in the middle of its answer, after ${shown}: ${cause.message}`,
    {cause, suggestions: ['run it again', `ollamax doctor ${node}`], details: {node, shown}},
  )
}

/** What the balancer is to judge; undefined for errors that have nothing to do with a node. */
function failureOf(error: unknown): Failure | undefined {
  if (!OllamaxError.is(error)) return undefined
  const {phase, status, words} = (error.details ?? {}) as {
    phase?: string
    status?: number
    words?: string
  }
  switch (error.code) {
    case 'NODE_ERROR':
      if (phase === 'reply') return {kind: 'reply', status: status ?? 0, words: words ?? ''}
      return phase === 'line' ? {kind: 'line', words: words ?? ''} : {kind: 'cut'}
    case 'STREAM_CUT':
      return {kind: 'cut'}
    case 'TIMEOUT':
      return {kind: 'timeout'}
    case 'BAD_INPUT':
    case 'INTERRUPTED':
    case 'NEEDS_TTY':
      return undefined
    default:
      return {kind: 'unreachable'}
  }
}
