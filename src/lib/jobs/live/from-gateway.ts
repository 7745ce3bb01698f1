import type {LiveFrame, LiveNode} from '../../cluster/live.ts'
import {takeFrame} from '../../cluster/live-node.ts'
import type {LiveWireFrame} from '../../cluster/live-wire.ts'
import type {GatewaySpec} from '../../cluster/node.ts'
import {messageOf, OllamaxError} from '../../errors.ts'
import {JsonLines} from '../../ollama/ndjson.ts'
import {expectOk, openRequest} from '../../ollama/request.ts'
import {gatewayNode} from '../ask-gateway.ts'
import type {Tools} from '../tools.ts'

/** The whole of a fleet of hundreds of nodes with thousands of models. */
const MAX_LINE_BYTES = 64 * 1024 * 1024
const CONNECT_MS = 3000
/** A gateway tells something every second: one that is silent for so long hangs, or the way to it is cut. */
const SILENT_MS = 5000

/**
 * Watches a gateway until it ends the watch (then resolves), something breaks (throws) or the signal aborts (throws its
 * reason). The first frame is whole.
 */
export async function watchGateway(
  {endpoint}: Pick<Tools, 'endpoint'>,
  gateway: GatewaySpec,
  {onFrame, signal}: {readonly onFrame: (frame: LiveFrame) => void; readonly signal: AbortSignal},
): Promise<void> {
  const response = await openRequest(await endpoint(gatewayNode(gateway)), {
    ...{method: 'GET', path: '/ollamax/v1/live', signal},
    ...{connectTimeoutMs: CONNECT_MS, headersTimeoutMs: SILENT_MS, idleTimeoutMs: SILENT_MS},
  })
  await expectOk(response)
  const lines = new JsonLines(MAX_LINE_BYTES)
  const known = new Map<string, LiveNode>()
  for await (const chunk of response.body)
    for (const line of linesOf(lines, chunk)) onFrame(inFull(frameOf(line), known))
}

/** Why a gateway cannot be watched, in a few words. */
export function whyNot(error: unknown, {url}: GatewaySpec): string {
  const {status} = ((OllamaxError.is(error) && error.details) || {}) as {status?: number}
  if (status === 404) return `the gateway at ${url} is of a version that cannot be watched`
  if (status === 401) return `the gateway at ${url} wants a key (gateway.key in the cluster file)`
  if (status === 403)
    return `the key for the gateway at ${url} may not see how it works (ollamax key create NAME --admin)`
  const {phase} = ((OllamaxError.is(error) && error.details) || {}) as {phase?: string}
  if (phase === 'connect') return `no gateway answers at ${url}`
  return `the gateway at ${url}: ${messageOf(error)}`
}

/** It was reached, and says that it does not want to be watched: there is no point in asking often. */
export function isRefused(error: unknown): boolean {
  if (!OllamaxError.is(error, 'NODE_ERROR')) return false
  const {status = 0} = (error.details ?? {}) as {status?: number}
  return status >= 400 && status < 500
}

function* linesOf(lines: JsonLines, chunk: Uint8Array): Generator<Record<string, unknown>> {
  try {
    yield* lines.push(chunk)
  } catch (error) {
    throw noFrame(error)
  }
}

function noFrame(cause?: unknown): OllamaxError {
  return new OllamaxError('NODE_ERROR', 'it sends something else than what a gateway sends', {
    cause,
  })
}

function frameOf(line: Record<string, unknown>): LiveWireFrame {
  const {nodes, requests, events, totals} = line
  const lists = Array.isArray(nodes) && Array.isArray(requests) && Array.isArray(events)
  if (!lists || typeof totals !== 'object' || totals === null) throw noFrame()
  return line as unknown as LiveWireFrame
}

/** What was told in short, in full; `known`: the nodes as they were told last. */
function inFull(
  {seen = [], changed = [], ...frame}: LiveWireFrame,
  known: Map<string, LiveNode>,
): LiveFrame {
  takeFrame(known, frame)
  const again: LiveNode[] = []
  for (const node of changed) {
    const before = known.get(node.name)
    if (before) again.push({...node, models: before.models})
  }
  for (const {name, ...reading} of seen) {
    const before = known.get(name)
    if (before) again.push({...before, ...reading})
  }
  for (const node of again) known.set(node.name, node)
  return {...frame, nodes: [...frame.nodes, ...again]}
}
