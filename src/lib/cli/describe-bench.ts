import type {ComparedFigure, Figure} from '../cluster/bench.ts'
import {roundDuration, roundSize} from '../cluster/size.ts'
import {OllamaxError} from '../errors.ts'
import type {Bench, BenchedNode} from '../jobs/bench/run-bench.ts'
import {type Cell, table} from './output.ts'

/** Tokens of the prompts of `--sizes`: `128,512`. BAD_INPUT for anything else. */
export function parseSizes(text: string): number[] {
  const sizes = text.split(',').map((word) => (/^\d{1,6}$/.test(word.trim()) ? Number(word) : 0))
  if (sizes.every((size) => size >= 16) && sizes.length <= 10) return sizes
  throw new OllamaxError('BAD_INPUT', `--sizes ${text} are no sizes of prompts`, {
    suggestions: ['write up to ten numbers of tokens, each 16 or more: --sizes 128,512,2048'],
  })
}

const COLUMNS = ['NODE', 'FIGURE', 'VALUE', 'UNIT', 'LAST', 'RATIO']
/** What differs by less is noise. */
const NOTABLE = 0.1

/** A row for each figure of each node. */
export function describeBench({nodes}: Bench): Promise<string> {
  return table(
    COLUMNS,
    nodes.flatMap(({node, figures}) => (figures ?? []).map((figure) => rowOf(node, figure))),
  )
}

function rowOf(node: string, figure: ComparedFigure): Cell[] {
  const {name, value, unit, last, ratio} = figure
  return [
    ...[node, name, shown(value), unit, last === undefined ? '-' : shown(last)],
    ratio === undefined ? '-' : {text: ratio.toFixed(2), tone: toneOf(figure, ratio)},
  ]
}

function toneOf({unit}: Figure, ratio: number) {
  const gain = unit === 'ms' ? 1 / ratio : ratio
  return gain > 1 + NOTABLE ? 'good' : gain < 1 - NOTABLE ? 'warn' : 'dim'
}

const shown = (value: number) =>
  value >= 100 || Number.isInteger(value) ? `${Math.round(value)}` : value.toFixed(1)

/** What is to be known beside the figures, a line each. */
export function benchNotes({model, nodes, drained}: Bench): string[] {
  return [
    ...nodes.map((one) => `${one.node}: ${one.error ? one.error.message : about(one, model)}`),
    ...(drained.length > 0
      ? [`left out because they are drained (name them to measure them): ${drained.join(', ')}`]
      : []),
  ]
}

function about(node: BenchedNode, model: string): string {
  const {version, digest, gpuShare, hardware, comparedWith, modelChanged, stopped} = node
  const machine = hardware
    ? [
        hardware.system,
        hardware.arch,
        `${hardware.cpus} CPUs`,
        hardware.memoryBytes === 'unknown' ? 'memory unknown' : roundSize(hardware.memoryBytes),
        ...hardware.gpus.map(({name, vramBytes}) =>
          vramBytes === 'unknown' ? name : `${name} ${roundSize(vramBytes)}`,
        ),
      ]
    : ['hardware unknown']
  return [
    `Ollama ${version ?? 'unknown'}`,
    `${model} ${digest?.replace(/^sha256:/, '').slice(0, 12) ?? ''}`.trim(),
    gpuShare === undefined ? 'GPU share unknown' : `${Math.round(gpuShare * 100)}% on GPU`,
    ...machine,
    ...(comparedWith ? [`compared with ${comparedWith}`] : []),
    ...(modelChanged ? ['the model is another one than then'] : []),
    ...(stopped ? [`stopped early: ${stopped}`] : []),
  ].join(', ')
}

/** SOME_NODES_FAILED with all of it; undefined if none failed. */
export function benchFailed(bench: Bench): OllamaxError | undefined {
  const failed = bench.nodes.filter(({error}) => error)
  if (failed.length === 0) return undefined
  const words = failed.map(({node, error}) => `${node}: ${error?.message}`).join('; ')
  return new OllamaxError(
    'SOME_NODES_FAILED',
    `${failed.length} of ${bench.nodes.length} nodes could not be measured: ${words}`,
    {details: {...bench}, suggestions: ['look closer: ollamax doctor NODE']},
  )
}

/** What will be done to the nodes. */
export function benchPlan(options: {
  readonly cold: boolean
  readonly mostAtOnce: number
  readonly timeoutMs: number
}): string {
  const {cold, mostAtOnce, timeoutMs} = options
  const load = cold
    ? 'takes the model out of memory and loads it again'
    : 'loads the model if it is not in memory (which may drive another one out)'
  return `each node ${load} and is kept busy with up to ${mostAtOnce} requests at once, for at most ${roundDuration(timeoutMs)}`
}
