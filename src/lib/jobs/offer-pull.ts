import type {Reporter} from '../cluster/report.ts'
import {messageOf, OllamaxError} from '../errors.ts'
import type {Endpoint} from '../ollama/endpoint.ts'
import {pullAt} from './pull-on-node.ts'
import type {Tools} from './tools.ts'

/** Where the progress of a pull is shown. */
export interface PullProgress {
  readonly report: Reporter
  stop(): Promise<void>
}

export interface PullOptions {
  /** True: without asking; false: not at all. Absent: the person at the terminal is asked. */
  readonly pull?: boolean | undefined
  /** Made when a pull begins, stopped when it is over. */
  readonly progress?: (() => Promise<PullProgress>) | undefined
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
  endpoint: Endpoint,
  {model, node}: {readonly model: string; readonly node: string},
  {signal, progress}: PullOptions & {readonly signal: AbortSignal},
): Promise<void> {
  const shown = await progress?.()
  try {
    await pullAt(endpoint, node, {model, signal, report: shown?.report ?? (() => {})})
  } catch (error) {
    signal.throwIfAborted()
    throw new OllamaxError('MODEL_NOT_FOUND', `${node} cannot pull ${model}: ${messageOf(error)}`, {
      cause: error,
      suggestions: ['check the spelling at https://ollama.com/library', `ollamax doctor ${node}`],
      details: {model, node},
    })
  } finally {
    await shown?.stop()
  }
}
