import type {Excluded} from '../balancer/candidates.ts'
import {modelKey, sameModel, shortModelName} from '../cluster/model-name.ts'
import {nearest} from '../cluster/nearest.ts'
import type {Cluster, NodeSpec} from '../cluster/node.ts'
import type {Reading} from '../cluster/reading.ts'
import {OllamaxError} from '../errors.ts'
import {readNode} from '../ollama/read-node.ts'
import type {Failed, Order} from './ask-node.ts'
import type {Tools} from './tools.ts'

interface Situation {
  readonly order: Pick<Order<unknown>, 'request' | 'signal' | 'node'>
  readonly cluster: Cluster
  /** Those that could be chosen from. */
  readonly nodes: readonly NodeSpec[]
  readonly failed: readonly Failed[]
  readonly excluded: readonly Excluded[]
  readonly survey?: {readonly readings: ReadonlyMap<string, Reading>}
}

/** For the reading of a single node that was made only to say more about its 404. */
const READING_MS = 2000

/** Makes the one error that a user is to see out of all that went wrong. */
export async function explainFailure(
  tools: Pick<Tools, 'endpoint'>,
  at: Situation,
): Promise<OllamaxError> {
  const {failed, excluded} = at
  if (at.nodes.length === 0) return noNodes(at.cluster)
  const refused = failed.find((one) => one.verdict === 'caller')
  if (refused) return refusal(refused)
  const unable =
    failed.every((one) => one.verdict === 'unable') &&
    (failed.length > 0 || excluded.some((one) => one.reason === 'unable'))
  if (unable) return cannot(at)
  const missing =
    failed.every((one) => one.verdict === 'missing') &&
    (failed.length > 0 || excluded.some((one) => one.reason === 'no-model'))
  if (missing) return notFound(at, at.survey?.readings ?? (await readFirst(tools, at)))
  if (failed.length === 0) return nobodyAnswers(at)
  const [only, another] = failed
  if (only && !another && excluded.length === 0) return single(only)
  const busy = failed.every((one) => one.verdict === 'busy')
  return new OllamaxError(
    busy ? 'NO_CANDIDATE' : 'INFERENCE_FAILED',
    [
      busy ? 'every node that could answer is busy:' : 'no node could answer:',
      ...failed.map(({node, error}) => `  ${node}: ${error.message}`),
      ...excluded.map(({node, text}) => `  ${node}: ${text}`),
    ].join('\n'),
    {
      cause: failed.at(-1)?.error,
      suggestions: [busy ? 'try again in a moment' : 'ollamax doctor', 'ollamax node list'],
      details: {nodes: failed.map(({node, error}) => ({node, code: error.code}))},
    },
  )
}

function noNodes(cluster: Cluster): OllamaxError {
  if (cluster.nodes.length === 0)
    return new OllamaxError('NO_CANDIDATE', `cluster "${cluster.name}" has no node yet`, {
      suggestions: ['ollamax quickstart', 'ollamax node add USER@HOST'],
    })
  return new OllamaxError('NO_CANDIDATE', `every node of cluster "${cluster.name}" is drained`, {
    suggestions: [
      `ollamax node undrain ${cluster.nodes[0]?.name}`,
      '--node NAME asks one all the same',
    ],
  })
}

function refusal({node, error}: Failed): OllamaxError {
  return new OllamaxError('REQUEST_REFUSED', `${node} refuses the request: ${error.message}`, {
    cause: error,
    details: {node, ...error.details},
  })
}

function cannot({order, failed, excluded}: Situation): OllamaxError {
  const words =
    failed.at(-1)?.error.message ?? excluded.find((one) => one.reason === 'unable')?.text
  const {model} = order.request
  return new OllamaxError('REQUEST_REFUSED', `no node can do this with ${model}: ${words}`, {
    suggestions: ['choose another model', 'ollamax node list'],
    details: {model},
  })
}

/** Unreachable stays unreachable, with the node's name; the rest is a node that did not manage. */
function single({node, error, verdict}: Failed): OllamaxError {
  const code =
    verdict === 'busy'
      ? 'NO_CANDIDATE'
      : error.code === 'NODE_ERROR' || error.code === 'STREAM_CUT'
        ? 'INFERENCE_FAILED'
        : error.code
  const own = error.suggestions
  return new OllamaxError(code, `${node}: ${error.message}`, {
    cause: error,
    suggestions:
      own.length > 0
        ? own
        : [verdict === 'busy' ? 'try again in a moment' : `ollamax doctor ${node}`],
    details: {node, ...error.details},
  })
}

function nobodyAnswers({cluster, excluded}: Situation): OllamaxError {
  const lines = excluded.map(({node, text}) => `  ${node}: ${text}`)
  return new OllamaxError(
    'NO_CANDIDATE',
    [`no node of cluster "${cluster.name}" answers:`, ...lines].join('\n'),
    {suggestions: ['ollamax doctor', 'ollamax node list']},
  )
}

function notFound(at: Situation, readings: ReadonlyMap<string, Reading>): OllamaxError {
  const {model} = at.order.request
  const up = [...readings.values()].filter((reading) => reading.kind === 'up')
  const known = new Set(up.flatMap((reading) => reading.models.map((tag) => tag.name)))
  const others = new Set([...known].filter((name) => !sameModel(name, model)))
  const near = nearestModel(model, others)
  const takers = up.toSorted(byAptitude).map((reading) => reading.node)
  const silent = at.excluded
    .filter(({reason}) => reason !== 'no-model')
    .map(({node, text}) => `; ${node} could not be asked: ${text}`)
  const where = at.nodes.length === 1 ? `${at.nodes[0]?.name} does not have` : 'no node has'
  return new OllamaxError('MODEL_NOT_FOUND', `${where} the model "${model}"${silent.join('')}`, {
    suggestions: [
      ...(near ? [`did you mean ${near}?`] : []),
      ...(takers.length > 0 ? [`--pull fetches it to ${takers[0]}${orTo(takers)}`] : []),
      ...(known.size > 0 ? [`there are: ${[...known].sort().slice(0, 12).join(', ')}`] : []),
    ],
    details: {model, takers, ...(near ? {near} : {})},
  })
}

function orTo([, ...rest]: readonly string[]): string {
  return rest.length > 0 ? ` (--node NAME for another: ${rest.join(', ')})` : ''
}

/** Compared both with the tag and without, so that `lama3.2` finds `llama3.2:1b`. */
function nearestModel(model: string, known: ReadonlySet<string>): string | undefined {
  const spelt = shortModelName(model)
  const direct = nearest(spelt, known)
  if (direct) return direct
  const bare = (name: string) => modelKey(name).replace(/^.*\//, '').replace(/:.*$/, '')
  const byBare = new Map([...known].map((name) => [bare(name), name]))
  const near = nearest(bare(model), byBare.keys())
  return near === undefined ? undefined : byBare.get(near)
}

/** A node that computes on a GPU first, then the nearest one. */
function byAptitude(a: Reading & {kind: 'up'}, b: Reading & {kind: 'up'}): number {
  const gpu = (reading: Reading & {kind: 'up'}) => reading.loaded.some((one) => one.vramBytes > 0)
  return Number(gpu(b)) - Number(gpu(a)) || a.latencyMs - b.latencyMs
}

async function readFirst(
  tools: Pick<Tools, 'endpoint'>,
  {nodes, order}: Situation,
): Promise<ReadonlyMap<string, Reading>> {
  const [node] = nodes
  if (!node) return new Map()
  const options = {signal: order.signal, timeoutMs: READING_MS, version: false}
  return new Map([[node.name, await readNode(await tools.endpoint(node), node.name, options)]])
}
