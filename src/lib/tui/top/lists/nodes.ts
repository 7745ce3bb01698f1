import {formatAge} from '../../../cluster/format.ts'
import type {LiveNode} from '../../../cluster/live.ts'
import {shortModelName} from '../../../cluster/model-name.ts'
import type {Cell, Column} from '../table.ts'
import type {Tone} from '../theme.ts'
import {
  celsius,
  conditionOf,
  diskUsed,
  duration,
  gpuBusyOf,
  hottestOf,
  memoryUsed,
  percent,
  rate,
  UNKNOWN,
  usedOf,
  vramOf,
} from '../words.ts'

const dim = (text: string): Cell => (text === UNKNOWN ? {text, tone: 'dim'} : text)

/** A share in the colour of how near its end is. */
function strained(share: number | undefined, text = percent(share)): Cell {
  if (share === undefined) return {text: UNKNOWN, tone: 'dim'}
  const tone: Tone = share >= 0.95 ? 'bad' : share >= 0.85 ? 'warn' : 'plain'
  return {text, tone}
}

const memoryShare = (node: LiveNode) => shareOf(memoryUsed(node), node.machine?.memory?.totalBytes)
const diskShare = (node: LiveNode) => shareOf(diskUsed(node), node.machine?.disk?.totalBytes)
const shareOf = (used: number | undefined, total: number | undefined) =>
  used === undefined || !total ? undefined : used / total

const NAME: Column<LiveNode> = {
  id: 'name',
  title: 'NAME',
  letter: 'N',
  width: 12,
  grow: 2,
  rank: 0,
  cell: ({name}) => name,
  value: ({name}) => name,
}

const STATE: Column<LiveNode> = {
  id: 'state',
  title: 'STATE',
  letter: 'S',
  width: 10,
  rank: 1,
  cell: (node) => conditionOf(node),
  value: (node) => -conditionOf(node).weight,
}

const REASON: Column<LiveNode> = {
  id: 'reason',
  title: 'REASON',
  letter: 'R',
  width: 16,
  grow: 4,
  rank: 2,
  cell: (node) => {
    const {why, tone} = conditionOf(node)
    return why === undefined ? '' : {text: why, tone}
  },
  value: (node) => conditionOf(node).why,
}

export const NODE_COLUMNS: readonly Column<LiveNode>[] = [
  NAME,
  STATE,
  {
    id: 'version',
    title: 'VERSION',
    letter: 'V',
    width: 8,
    rank: 8,
    cell: ({version}) => dim(version ?? UNKNOWN),
    value: ({version}) => version,
  },
  {
    id: 'tokens',
    title: 'TOK/S',
    letter: 'T',
    width: 6,
    align: 'right',
    rank: 2,
    cell: ({tokensPerS}) => dim(rate(tokensPerS)),
    value: ({tokensPerS}) => tokensPerS,
  },
  {
    id: 'flight',
    title: 'FLIGHT',
    letter: 'F',
    width: 6,
    align: 'right',
    rank: 2,
    cell: ({inFlight, slots}) => (slots === undefined ? `${inFlight}` : `${inFlight}/${slots}`),
    value: ({inFlight}) => inFlight,
  },
  {
    id: 'latency',
    title: 'LATENCY',
    letter: 'L',
    width: 7,
    align: 'right',
    rank: 6,
    cell: ({latencyMs}) => dim(duration(latencyMs)),
    value: ({latencyMs}) => latencyMs,
  },
  {
    id: 'gpu',
    title: 'GPU',
    letter: 'U',
    width: 4,
    align: 'right',
    rank: 3,
    cell: (node) => strained(gpuBusyOf(node)),
    value: gpuBusyOf,
  },
  {
    id: 'vram',
    title: 'VRAM',
    letter: 'M',
    width: 12,
    align: 'right',
    rank: 4,
    cell: (node) => {
      const vram = vramOf(node)
      return strained(shareOf(vram?.used, vram?.total), usedOf(vram?.used, vram?.total))
    },
    value: (node) => vramOf(node)?.used,
  },
  {
    id: 'cpu',
    title: 'CPU',
    letter: 'C',
    width: 4,
    align: 'right',
    rank: 4,
    cell: ({machine}) => strained(machine?.cpuShare),
    value: ({machine}) => machine?.cpuShare,
  },
  {
    id: 'memory',
    title: 'MEM',
    letter: 'E',
    width: 4,
    align: 'right',
    rank: 5,
    cell: (node) => strained(memoryShare(node)),
    value: memoryShare,
  },
  {
    id: 'disk',
    title: 'DISK',
    letter: 'D',
    width: 4,
    align: 'right',
    rank: 9,
    cell: (node) => strained(diskShare(node)),
    value: diskShare,
  },
  {
    id: 'heat',
    title: 'TEMP',
    letter: 'H',
    width: 5,
    align: 'right',
    rank: 9,
    cell: (node) => dim(celsius(hottestOf(node))),
    value: hottestOf,
  },
  {
    id: 'loaded',
    title: 'LOADED',
    letter: 'O',
    width: 14,
    grow: 3,
    rank: 10,
    cell: ({loaded}) => loaded.map(({name}) => shortModelName(name)).join(', ') || '-',
    value: ({loaded}) => loaded.length,
  },
  {
    id: 'age',
    title: 'READ',
    letter: 'A',
    width: 5,
    align: 'right',
    rank: 11,
    cell: ({readAtMs}, nowMs) =>
      dim(readAtMs === undefined ? UNKNOWN : formatAge(nowMs - readAtMs)),
    value: ({readAtMs}) => (readAtMs === undefined ? undefined : -readAtMs),
  },
  REASON,
]

/** Of the overview: who is worth a look, and why. */
export const NOTABLE_COLUMNS: readonly Column<LiveNode>[] = [NAME, STATE, REASON]

/** Nodes that something is wrong with, the most urgent first. */
export function notableNodes(nodes: readonly LiveNode[]): readonly LiveNode[] {
  return nodes
    .map((node) => ({node, weight: conditionOf(node).weight}))
    .filter(({weight}) => weight > 0)
    .sort((a, b) => b.weight - a.weight)
    .map(({node}) => node)
}
