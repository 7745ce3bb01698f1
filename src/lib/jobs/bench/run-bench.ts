import type {Rate} from '../../balancer/rates.ts'
import {type ComparedFigure, compareFigures} from '../../cluster/bench.ts'
import {modelKey, sameModel} from '../../cluster/model-name.ts'
import type {Cluster, NodeSpec} from '../../cluster/node.ts'
import type {Reading} from '../../cluster/reading.ts'
import type {Reporter} from '../../cluster/report.ts'
import {type Selection, selectNodes} from '../../cluster/select.ts'
import {messageOf, OllamaxError} from '../../errors.ts'
import {type BenchEntry, benchHistory, keepBench, lastBench} from '../../state/bench-history.ts'
import {takeLease} from '../../state/leases.ts'
import {changeRate} from '../../state/rates-file.ts'
import {leaseDir, ratesPath} from '../ask-node.ts'
import {confirmed} from '../confirm.ts'
import {withDeadline} from '../deadline.ts'
import {eachOf} from '../each-of.ts'
import {observe} from '../observe.ts'
import type {Tools} from '../tools.ts'
import {chooseModel} from './choose-model.ts'
import {type Hardware, readHardware} from './hardware.ts'
import {type Measured, type MeasureOptions, measureNode} from './measure-node.ts'

export type BenchTools = Pick<
  Tools,
  'ask' | 'cluster' | 'clusterName' | 'dial' | 'endpoint' | 'paths' | 'signal'
>

export interface BenchOptions
  extends Pick<MeasureOptions, 'cold' | 'sizes' | 'rounds' | 'mostAtOnce'> {
  readonly selection: Selection
  /** Absent: see `chooseModel`. */
  readonly model?: string | undefined
  /** For each node as a whole. */
  readonly timeoutMs: number
  /** Nodes that are measured at the same time. */
  readonly atOnce: number
  /** Do not ask before a model is taken out of memory. */
  readonly yes: boolean
  readonly report: Reporter
}

/** One node as it was measured; with `error` it was not. */
export interface BenchedNode {
  readonly node: string
  /** Of Ollama; absent: unknown. */
  readonly version?: string
  readonly digest?: string
  /** Of the model's bytes in memory, 0...1 that lie in that of a GPU; absent: unknown. */
  readonly gpuShare?: number
  readonly hardware?: Hardware
  readonly figures?: readonly ComparedFigure[]
  /** When the run was that they are compared with, ISO; absent: there was none. */
  readonly comparedWith?: string
  /** The model was another one then, under the same name. */
  readonly modelChanged?: boolean
  /** Why it ended before its end. */
  readonly stopped?: string
  readonly error?: {readonly code: string; readonly message: string}
  readonly raw?: Measured['raw']
}

export interface Bench {
  readonly model: string
  readonly nodes: readonly BenchedNode[]
  /** Not measured because they are drained and were not named. */
  readonly drained: readonly string[]
}

const READING_MS = 10_000

/**
 * Measures a model on each of the nodes, compares with the last time, and keeps what was found: for the next time, and
 * as what the balancer expects of them. What goes wrong with a node is in its row. NODE_NOT_FOUND, MODEL_NOT_FOUND,
 * CONFIRM_NEEDED and NOT_CONFIRMED before anything is done.
 */
export async function runBench(tools: BenchTools, options: BenchOptions): Promise<Bench> {
  const {selection, report, atOnce, cold, yes} = options
  const cluster = await tools.cluster()
  const selected = selectNodes(cluster.nodes, selection)
  const wanted = selected.filter(({drained}) => !drained || selection.names.length > 0)
  const drained = selected.filter((node) => !wanted.includes(node)).map(({name}) => name)
  const readings = await observe(tools, wanted, {timeoutMs: READING_MS})
  const model = options.model ?? chooseModel(readings)
  if (cold) await confirmUnload(tools, {readings, model, yes})
  const history = benchHistory(tools.paths, cluster.name)
  const nodes = await eachOf(wanted, atOnce, async (spec) => {
    const reading = readings.find(({node}) => node === spec.name)
    try {
      return await benchNode(tools, {...options, model}, {cluster, spec, reading, history})
    } catch (error) {
      tools.signal.throwIfAborted()
      const code = OllamaxError.is(error) ? error.code : 'NODE_ERROR'
      report({kind: 'end', subject: spec.name, ok: false, text: messageOf(error)})
      return {node: spec.name, error: {code, message: messageOf(error)}}
    }
  })
  return {model, nodes, drained}
}

/** A model that is in memory may be somebody's who is at work with it. */
async function confirmUnload(
  tools: Pick<Tools, 'ask'>,
  of: {readonly readings: readonly Reading[]; readonly model: string; readonly yes: boolean},
): Promise<void> {
  const loaded = of.readings.filter(
    (reading) =>
      reading.kind === 'up' && reading.loaded.some(({name}) => sameModel(name, of.model)),
  )
  if (loaded.length === 0) return
  const names = loaded.map(({node}) => node).join(', ')
  await confirmed(
    tools,
    of.yes,
    `Take ${of.model} out of memory on ${names}, where it may be in use?`,
  )
}

async function benchNode(
  tools: BenchTools,
  options: BenchOptions & {readonly model: string},
  at: {
    readonly cluster: Cluster
    readonly spec: NodeSpec
    readonly reading: Reading | undefined
    readonly history: readonly BenchEntry[]
  },
): Promise<BenchedNode> {
  const {cluster, spec, reading, history} = at
  const {model, report, timeoutMs} = options
  const node = spec.name
  if (reading?.kind !== 'up')
    throw new OllamaxError('NODE_UNREACHABLE', reading?.message ?? 'it was not read')
  const tag = reading.models.find(({name}) => sameModel(name, model))
  if (!tag) throw new OllamaxError('MODEL_NOT_FOUND', `it does not have ${model}`)
  const limit = withDeadline([tools.signal], timeoutMs)
  // Who chooses a node meanwhile sees that this one is busy.
  const lease = takeLease(leaseDir(tools, cluster), [node], () => node)
  try {
    const hardware = await readHardware(tools, spec, limit.signal)
    const endpoint = await tools.endpoint(spec)
    const step = (name: string) => report({kind: 'start', subject: node, step: name})
    const measured = await measureNode(endpoint, {...options, signal: limit.signal, step})
    tools.signal.throwIfAborted()
    const {figures, raw, stopped} = measured
    const [after] = await observe(tools, [spec], {timeoutMs: READING_MS})
    const key = modelKey(model)
    const last = lastBench(history, {node, model: key})
    const kept = keep(tools, cluster, {
      ...{atMs: Date.now(), node, model: key, tag, reading, figures, after},
    })
    if (!kept)
      report({kind: 'warn', subject: node, text: 'this run could not be kept for the next time'})
    report({kind: 'end', subject: node, ok: stopped === undefined, text: stopped ?? 'measured'})
    return {
      node,
      ...(reading.version === undefined ? {} : {version: reading.version}),
      digest: tag.digest,
      ...gpuShareOf(after, model),
      ...(hardware ? {hardware} : {}),
      figures: compareFigures(figures, last?.figures),
      ...(last ? {comparedWith: new Date(last.atMs).toISOString()} : {}),
      ...(last && last.digest !== tag.digest ? {modelChanged: true} : {}),
      ...(stopped === undefined ? {} : {stopped}),
      raw,
    }
  } finally {
    lease?.release()
    limit.end()
  }
}

function gpuShareOf(reading: Reading | undefined, model: string): {readonly gpuShare?: number} {
  if (reading?.kind !== 'up') return {}
  const loaded = reading.loaded.find(({name}) => sameModel(name, model))
  return loaded && loaded.sizeBytes > 0 ? {gpuShare: loaded.vramBytes / loaded.sizeBytes} : {}
}

/** For the next run, and for those who choose nodes. False: the next run will not know of it. */
function keep(
  tools: Pick<Tools, 'paths'>,
  cluster: Cluster,
  of: Pick<BenchEntry, 'atMs' | 'node' | 'model' | 'figures'> & {
    readonly tag: {readonly digest: string}
    readonly reading: Reading & {readonly kind: 'up'}
    readonly after: Reading | undefined
  },
): boolean {
  const {atMs, node, model, figures, tag, reading, after} = of
  const {version} = reading
  const kept = keepBench(tools.paths, cluster.name, [
    {atMs, node, model, digest: tag.digest, ...(version === undefined ? {} : {version}), figures},
  ])
  const promptTps = figures.prefill.at(-1)?.tps
  const {decodeTps: answerTps, loadMs, slots} = figures
  const measured = {
    ...(promptTps === undefined ? {} : {promptTps}),
    ...(answerTps === undefined ? {} : {answerTps}),
    ...(loadMs === undefined ? {} : {loadMs}),
    ...(slots === undefined ? {} : {slots}),
  }
  if (Object.keys(measured).length === 0) return kept
  const loaded =
    after?.kind === 'up' ? after.loaded.find((one) => sameModel(one.name, model)) : undefined
  const context = loaded?.contextLength
  // A gateway remembers what it has learned by the context that the model is loaded with.
  for (const key of [model, ...(context === undefined ? [] : [`${model}@${context}`])])
    changeRate<Rate>(ratesPath(tools, cluster), {node, model: key}, (before) => ({
      ...before,
      ...measured,
      atMs,
    }))
  return kept
}
