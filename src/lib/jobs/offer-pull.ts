import type {Reporter} from '../cluster/report.ts'
import {messageOf, OllamaxError} from '../errors.ts'
import {pull} from '../ollama/client.ts'
import type {Tools} from './tools.ts'

export interface PullOptions {
  /** True: without asking; false: not at all. Absent: the person at the terminal is asked. */
  readonly pull?: boolean | undefined
  readonly report?: Reporter | undefined
}

/**
 * Pulls the model that MODEL_NOT_FOUND is about to the first node that could take it; resolves with
 * that node's name, or undefined if nobody wants it or no node can.
 */
export async function offerPull(
  tools: Pick<Tools, 'cluster' | 'endpoint' | 'ask'>,
  error: OllamaxError,
  options: PullOptions & {readonly signal: AbortSignal},
): Promise<string | undefined> {
  const {model, takers} = (error.details ?? {}) as {model?: string; takers?: readonly string[]}
  const [name] = takers ?? []
  if (!model || !name || options.pull === false) return undefined
  if (!options.pull) {
    if (!tools.ask.interactive) return undefined
    const question = `${error.message}. Pull it to ${name}?`
    if (!(await tools.ask.confirm(question, '--pull'))) return undefined
  }
  const cluster = await tools.cluster()
  const node = cluster.nodes.find((one) => one.name === name)
  if (!node) return undefined
  await pullTo(await tools.endpoint(node), {model, node: name}, options)
  return name
}

async function pullTo(
  endpoint: Parameters<typeof pull>[0],
  {model, node}: {readonly model: string; readonly node: string},
  {signal, report}: PullOptions & {readonly signal: AbortSignal},
): Promise<void> {
  const startedMs = performance.now()
  report?.({kind: 'start', subject: node, step: `pull ${model}`})
  try {
    for await (const {status, total, completed} of pull(endpoint, {model}, {signal})) {
      if (total === undefined) continue
      report?.({kind: 'bytes', subject: node, step: status, done: completed ?? 0, total})
    }
  } catch (error) {
    signal.throwIfAborted()
    throw new OllamaxError('MODEL_NOT_FOUND', `${node} cannot pull ${model}: ${messageOf(error)}`, {
      cause: error,
      suggestions: ['check the spelling at https://ollama.com/library', `ollamax doctor ${node}`],
      details: {model, node},
    })
  }
  report?.({kind: 'done', subject: node, step: `pull ${model}`, ms: performance.now() - startedMs})
}
