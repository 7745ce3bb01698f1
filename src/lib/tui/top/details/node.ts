import {formatAge, formatLabels} from '../../../cluster/format.ts'
import type {GpuReading, LiveNode} from '../../../cluster/live.ts'
import type {LoadedModel} from '../../../cluster/reading.ts'
import {type Field, fieldLines, gridLines, heading, type TextLine} from '../lines.ts'
import type {TopState} from '../state.ts'
import {
  bytes,
  celsius,
  conditionOf,
  diskUsed,
  duration,
  memoryUsed,
  percent,
  rate,
  UNKNOWN,
  usedOf,
} from '../words.ts'

/** All that is known of a node. */
export function nodeLines(state: TopState, name: string): readonly TextLine[] {
  const node = state.fleet.nodes.get(name)
  if (!node) return [[{text: `${name} is not in the cluster any more`, tone: 'warn'}]]
  const {columns} = state.size
  return [
    ...fieldLines(nodeFields(node, state.nowMs), columns),
    ...heading(`Machine${readAgo(node.machine?.atMs, state.nowMs)}`),
    ...fieldLines(machineFields(node), columns),
    ...heading(`Loaded models: ${node.loaded.length}`),
    ...(node.loaded.length === 0
      ? []
      : gridLines([
          ['NAME', 'SIZE', 'ON GPU', 'CONTEXT', 'UNLOADS IN'],
          ...node.loaded.map((model) => loadedRow(model, state.nowMs)),
        ])),
    ...heading(`Models on disk: ${node.models.length}`),
    ...(node.models.length === 0
      ? []
      : gridLines([
          ['NAME', 'SIZE', 'DIGEST'],
          ...node.models.map(({name: model, sizeBytes, digest}) => [
            model,
            bytes(sizeBytes),
            digest.replace(/^sha256:/, '').slice(0, 12),
          ]),
        ])),
  ]
}

const readAgo = (atMs: number | undefined, nowMs: number) =>
  atMs === undefined
    ? ': not read'
    : ` (read ${formatAge(nowMs - atMs)} ago)`.replace('now ago', 'now')

function nodeFields(node: LiveNode, nowMs: number): Field[] {
  const {text, tone, why} = conditionOf(node)
  return [
    ['state', text, tone],
    ['reason', why === undefined ? undefined : node.code ? `${why} (${node.code})` : why, tone],
    ['read', node.readAtMs === undefined ? UNKNOWN : formatAge(nowMs - node.readAtMs)],
    ['version', node.version ?? UNKNOWN],
    ['reached', `${node.target} (${node.kind})`],
    ['labels', formatLabels(node.labels)],
    ['tokens/s', rate(node.tokensPerS)],
    [
      'in flight',
      node.slots === undefined ? `${node.inFlight}` : `${node.inFlight} of ${node.slots}`,
    ],
    ['latency', duration(node.latencyMs)],
    ['breaker', node.breaker],
  ]
}

function machineFields(node: LiveNode): Field[] {
  const {machine} = node
  const cores = machine?.cores === undefined ? '' : ` of ${machine.cores} cores`
  const gpus = machine?.gpus ?? []
  return [
    ['CPU', `${percent(machine?.cpuShare)}${cores}`],
    ['memory', usedOf(memoryUsed(node), machine?.memory?.totalBytes)],
    ['disk', usedOf(diskUsed(node), machine?.disk?.totalBytes)],
    ['temperature', celsius(machine?.celsius)],
    ...gpus.map((gpu, at): Field => [`GPU ${at}`, gpuText(gpu)]),
    ...(gpus.length === 0 ? [['GPU', machine ? 'none told' : UNKNOWN] satisfies Field] : []),
  ]
}

const gpuText = ({name, busyShare, vramBytes, celsius: degrees}: GpuReading) =>
  `${name}: ${percent(busyShare)} busy, ${usedOf(vramBytes?.used, vramBytes?.total)} VRAM, ${celsius(degrees)}`

function loadedRow(model: LoadedModel, nowMs: number): string[] {
  const left = Date.parse(model.expiresAt) - nowMs
  return [
    model.name,
    bytes(model.sizeBytes),
    model.sizeBytes > 0 ? percent(Math.min(1, model.vramBytes / model.sizeBytes)) : UNKNOWN,
    model.contextLength === undefined ? UNKNOWN : `${model.contextLength}`,
    Number.isNaN(left) ? UNKNOWN : left > YEAR_MS ? 'never' : duration(Math.max(0, left)),
  ]
}

/** What is kept for good is told with a time far away. */
const YEAR_MS = 31_536_000_000
