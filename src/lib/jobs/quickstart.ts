import type {AnswerStats} from '../cluster/answer-stats.ts'
import {sameModel} from '../cluster/model-name.ts'
import type {NodeSpec} from '../cluster/node.ts'
import type {ModelTag, Reading} from '../cluster/reading.ts'
import type {Reporter} from '../cluster/report.ts'
import type {ModelWish} from '../engine/install/choose-model.ts'
import {PINS} from '../engine/pins.ts'
import {messageOf, OllamaxError} from '../errors.ts'
import {generate} from '../ollama/client.ts'
import type {Endpoint} from '../ollama/endpoint.ts'
import {readNode} from '../ollama/read-node.ts'
import {keepReadings} from '../state/readings.ts'
import {pullAt} from './pull-on-node.ts'
import {engineEndpoint, startEngine} from './start-engine.ts'
import type {Tools} from './tools.ts'

type QuickstartTools = Pick<
  Tools,
  'ask' | 'cluster' | 'clusterName' | 'editCluster' | 'env' | 'paths' | 'signal'
>

export interface QuickstartOptions {
  readonly prompt: string
  /** Model of the local Ollama to use; with the embedded node as `wish.name`. */
  readonly wish: ModelWish
  /** `local`: only an Ollama that runs here; `embedded`: only our own engine; absent: the first, else the second. */
  readonly only?: 'local' | 'embedded' | undefined
  /** Pull a model without asking. */
  readonly yes: boolean
  readonly program?: string
}

/** A node that is ready to answer. */
export interface ReadyNode {
  readonly node: NodeSpec
  readonly endpoint: Endpoint
  readonly url: string
  readonly model: string
  /** True for the small model that is there to try the tool. */
  readonly toy: boolean
}

/** What the node said, once it has said it. */
export interface Answered {
  /** Name of the node in the cluster, which may differ where the usual one was taken. */
  readonly node: string
  /** False: the cluster had it already. */
  readonly added: boolean
  readonly text: string
  readonly tokens: number | null
  readonly tokensPerSecond: number | null
  readonly ms: number
}

/** Overrides where an Ollama of this machine is looked for. */
const LOCAL_OLLAMA = 'OLLAMAX_LOCAL_OLLAMA'
const PROBE_MS = 1500
/** What an Ollama without a model for text is offered: the smallest that its registry has. */
export const SMALLEST = {name: 'smollm2:135m', size: '271 MB'}
const MAX_TOKENS = 200

/**
 * Finds or makes a node on this machine that can answer: an Ollama that runs here, with a model that it
 * has or is allowed to pull, otherwise the embedded node.
 */
export async function readyNode(
  tools: QuickstartTools,
  options: QuickstartOptions,
  report: Reporter,
): Promise<ReadyNode> {
  const {wish, only} = options
  const wantsFile = wish.gguf !== undefined || wish.url !== undefined
  if (wantsFile && only === 'local')
    throw new OllamaxError(
      'BAD_INPUT',
      'a model file is for the embedded node, which is ruled out',
      {
        suggestions: ['leave out --no-embedded, or name a model of the local Ollama with --model'],
      },
    )
  if (only !== 'embedded' && !wantsFile) {
    const url = tools.env[LOCAL_OLLAMA] || 'http://127.0.0.1:11434'
    const endpoint: Endpoint = {kind: 'url', url, headers: {}}
    const reading = await readNode(endpoint, 'local', {signal: tools.signal, timeoutMs: PROBE_MS})
    if (reading.kind === 'up') {
      const model = await localModel(tools, {endpoint, reading, options, report})
      return {node: direct(url), endpoint, url, model, toy: false}
    }
    if (only === 'local')
      throw new OllamaxError(
        'NODE_UNREACHABLE',
        `no Ollama answers at ${url}: ${reading.message}`,
        {
          suggestions: ['start it (ollama serve), or leave out --no-embedded'],
        },
      )
    report({kind: 'note', subject: 'local', text: `no Ollama answers at ${url}`})
  }
  const {program} = options
  const engine = await startEngine(tools, {wish, report, ...(program ? {program} : {})})
  return {
    node: {kind: 'embedded', name: 'embedded', labels: {}, drained: false, ollama: {}},
    endpoint: engineEndpoint(engine),
    url: engine.url,
    model: engine.model,
    toy: engine.model === PINS.model.name,
  }
}

function direct(url: string): NodeSpec {
  return {kind: 'direct', name: 'local', url, headers: {}, labels: {}, drained: false, ollama: {}}
}

interface Local {
  readonly endpoint: Endpoint
  readonly reading: Extract<Reading, {kind: 'up'}>
  readonly options: QuickstartOptions
  readonly report: Reporter
}

/** The model that was asked for, or the smallest one for text; pulled if there is none. */
async function localModel(tools: QuickstartTools, local: Local): Promise<string> {
  const {reading, options, report} = local
  const wanted = options.wish.name
  const found = reading.models
    .filter((tag) => (wanted === undefined ? makesText(tag) : sameModel(tag.name, wanted)))
    .toSorted((a, b) => a.sizeBytes - b.sizeBytes)[0]
  if (found) return found.name
  const name = wanted ?? SMALLEST.name
  const size = name === SMALLEST.name ? ` (${SMALLEST.size})` : ''
  const lack = wanted === undefined ? 'no model for text' : `no model ${wanted}`
  const question = `The Ollama on this machine has ${lack}. Pull ${name}${size}?`
  const without = 'pass --yes to pull it, or --embedded to use the embedded node'
  if (!options.yes && !(await tools.ask.confirm(question, without)))
    throw new OllamaxError('MODEL_NOT_FOUND', `the Ollama on this machine has ${lack}`, {
      suggestions: [`ollama pull ${name}`, 'ollamax quickstart --embedded'],
    })
  try {
    await pullAt(local.endpoint, 'local', {model: name, report, signal: tools.signal})
  } catch (error) {
    tools.signal.throwIfAborted()
    throw new OllamaxError(
      'DOWNLOAD_FAILED',
      `Ollama could not pull ${name}: ${messageOf(error)}`,
      {
        suggestions: ['ollamax quickstart --embedded', 'or name another model with --model'],
        cause: error,
      },
    )
  }
  return name
}

/** Whether a model answers prompts, as far as is known of it. */
export function makesText({
  capabilities,
  family,
}: Pick<ModelTag, 'capabilities' | 'family'>): boolean {
  return capabilities ? capabilities.includes('completion') : !/bert|clip/i.test(family ?? '')
}

/**
 * Has the node answer the prompt, passes its text on as it comes, and records the node in the cluster
 * once it has. INFERENCE_FAILED if nothing came: a quickstart without tokens has not happened.
 */
export async function firstAnswer(
  tools: QuickstartTools,
  ready: ReadyNode,
  {prompt, onText}: {readonly prompt: string; readonly onText: (text: string) => void},
): Promise<Answered> {
  const started = performance.now()
  let text = ''
  let stats: AnswerStats | undefined
  const request = {
    model: ready.model,
    prompt,
    options: {num_predict: MAX_TOKENS, temperature: 0},
  }
  const limits = {
    signal: tools.signal,
    connectTimeoutMs: 5000,
    headersTimeoutMs: 300_000,
    idleTimeoutMs: 120_000,
  }
  for await (const chunk of await generate(ready.endpoint, request, limits)) {
    text += chunk.text
    if (chunk.text || chunk.thinking) onText(chunk.text || chunk.thinking)
    if (chunk.done) stats = chunk.stats
    else if (!chunk.text && chunk.thinking) text += chunk.thinking
  }
  if (text.trim() === '')
    throw new OllamaxError('INFERENCE_FAILED', `${ready.model} on ${ready.url} answered nothing`, {
      suggestions: ['try another model (--model) or another prompt (--prompt)'],
    })
  const ms = performance.now() - started
  const {answerTokens, answerMs} = stats ?? {}
  const recorded = await record(tools, ready.node)
  const look = {signal: tools.signal, timeoutMs: PROBE_MS}
  keepReadings(tools.paths, tools.clusterName(), [
    await readNode(ready.endpoint, recorded.node, look),
  ])
  return {
    ...recorded,
    text,
    tokens: answerTokens ?? null,
    tokensPerSecond: answerTokens && answerMs ? (answerTokens * 1000) / answerMs : null,
    ms,
  }
}

/** Adds the node unless the cluster has it, under whatever name. */
async function record(
  {editCluster}: QuickstartTools,
  node: NodeSpec,
): Promise<{node: string; added: boolean}> {
  return editCluster((edit) => {
    const {nodes} = edit.cluster
    const same = nodes.find((other) => isSame(other, node))
    if (same) return {node: same.name, added: false}
    const taken = (name: string) => nodes.some((other) => other.name === name)
    let name = node.name
    for (let count = 2; taken(name); count++) name = `${node.name}-${count}`
    edit.addNode({...node, name})
    return {node: name, added: true}
  })
}

function isSame(a: NodeSpec, b: NodeSpec): boolean {
  if (a.kind === 'embedded') return b.kind === 'embedded'
  if (a.kind !== 'direct' || b.kind !== 'direct') return false
  const address = (url: string) => url.replace(/\/+$/, '').replace('//localhost', '//127.0.0.1')
  return address(a.url) === address(b.url)
}
