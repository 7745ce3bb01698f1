import type {FleetActions, RequestDecision} from '../../cluster/live-actions.ts'
import type {Report} from '../../cluster/report.ts'
import {CATALOGUE, type Code, OllamaxError} from '../../errors.ts'
import {askGateway, gatewayOf} from '../ask-gateway.ts'
import type {Tools} from '../tools.ts'

/** A model may have to be unloaded and the machine be slow. */
const RESTART_MS = 120_000
/** Lines of a journal that are shown before what comes. */
const LINES = 200

/**
 * What a person may do to the fleet while watching it; see `FleetActions`. Nobody is asked anything unless the tools can
 * ask: where a screen is drawn, they must not.
 */
export function fleetActions(tools: Omit<Tools, 'onClose' | 'close'>): FleetActions {
  const mark = async (name: string, drained: boolean) => {
    const {drainNodes} = await import('../edit-nodes.ts')
    const chosen = {names: [name], labels: []}
    const [done] = await drainNodes(tools, chosen, {drained, report: () => {}})
    return {changed: done?.changed ?? false}
  }
  return {
    drain: (node) => mark(node, true),
    undrain: (node) => mark(node, false),
    async restart(node, onText = () => {}) {
      const {controlNode} = await import('../control-node.ts')
      const report = (one: Report) => {
        const text = textOf(one)
        if (text !== undefined) onText(text)
      }
      const options = {name: node, action: 'restart', timeoutMs: RESTART_MS, report} as const
      const {version} = await controlNode(tools, options)
      return version === undefined ? {} : {version}
    },
    async pull(node, model, report, signal) {
      const {pullModel} = await import('../pull-model.ts')
      const both = AbortSignal.any([tools.signal, signal])
      const {nodes} = await pullModel(
        {...tools, signal: both},
        {model, to: [node], report, signal: both},
      )
      const failed = nodes.find(({outcome}) => outcome === 'failed')?.error
      if (!failed) return
      const {code, message, suggestions} = failed
      const known = code in CATALOGUE ? (code as Code) : 'NODE_ERROR'
      throw new OllamaxError(known, message, {suggestions})
    },
    async cancel(request) {
      await ofRequest(tools, request, 'DELETE')
    },
    async decision(request) {
      return (await ofRequest(tools, request, 'GET')) as unknown as RequestDecision
    },
    async followLogs(node, onText, signal) {
      const {readLogs} = await import('../read-logs.ts')
      const both = AbortSignal.any([tools.signal, signal])
      try {
        const options = {name: node, lines: LINES, follow: true, onText}
        await readLogs({...tools, signal: both}, options)
      } catch (error) {
        if (!signal.aborted) throw error
      }
    },
  }
}

async function ofRequest(
  tools: Pick<Tools, 'cluster' | 'endpoint' | 'signal'>,
  request: string,
  method: 'GET' | 'DELETE',
): Promise<Record<string, unknown>> {
  const cluster = await tools.cluster()
  const gateway = gatewayOf(cluster)
  const path = `/ollamax/v1/requests/${encodeURIComponent(request)}`
  try {
    return await askGateway(tools, {...cluster, gateway}, {method, path})
  } catch (error) {
    if (!OllamaxError.is(error, 'NODE_ERROR')) throw error
    const {status, words} = (error.details ?? {}) as {status?: number; words?: string}
    // One of an earlier version has no such page.
    if (status !== 404 || words?.includes('page not found')) throw error
    throw new OllamaxError('REQUEST_NOT_FOUND', `request ${request} has ended or was never there`, {
      cause: error,
    })
  }
}

function textOf(report: Report): string | undefined {
  switch (report.kind) {
    case 'start':
      return report.step
    case 'note':
    case 'warn':
    case 'end':
      return report.text
    default:
      return undefined
  }
}
