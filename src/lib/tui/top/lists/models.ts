import {type FleetModel, fleetModels} from '../../../cluster/fleet-models.ts'
import type {LiveNode} from '../../../cluster/live.ts'
import type {Reading} from '../../../cluster/reading.ts'
import type {Column} from '../table.ts'
import {bytes} from '../words.ts'

let last: {readonly from: readonly unknown[]; readonly models: readonly FleetModel[]} | undefined

/**
 * All models of all nodes that have told theirs. Hundreds of nodes are read anew several times a second, and have the same
 * models as before: then this is the list of before.
 */
export function modelsOf(nodes: readonly LiveNode[]): readonly FleetModel[] {
  const from = nodes.flatMap(({name, models, loaded}) => [
    name,
    models,
    loaded.map(({digest}) => digest).join(),
  ])
  const {length} = from
  if (last?.from.length === length && from.every((part, at) => part === last?.from[at]))
    return last.models
  const models = fleetModels(nodes.map(readingOf))
  last = {from, models}
  return models
}

function readingOf(node: LiveNode): Reading {
  return {
    kind: 'up',
    node: node.name,
    atMs: node.readAtMs ?? 0,
    latencyMs: node.latencyMs ?? 0,
    models: node.models.map((model) => ({...model, modifiedAt: ''})),
    loaded: node.loaded,
  }
}

/** `3 versions` where nodes have different content under one name. */
const driftOf = ({versions}: FleetModel) =>
  versions.length > 1 ? `${versions.length} versions` : ''
const replicasOf = ({versions}: FleetModel) =>
  versions.reduce((sum, {nodes}) => sum + nodes.length, 0)
const sizeOf = ({versions}: FleetModel) => versions[0]?.sizeBytes

export const MODEL_COLUMNS: readonly Column<FleetModel>[] = [
  {
    id: 'name',
    title: 'NAME',
    letter: 'N',
    width: 20,
    grow: 2,
    rank: 0,
    cell: ({name}) => name,
    value: ({name}) => name,
  },
  {
    id: 'size',
    title: 'SIZE',
    letter: 'S',
    width: 7,
    align: 'right',
    rank: 4,
    cell: (model) => bytes(sizeOf(model)),
    value: sizeOf,
  },
  {
    id: 'replicas',
    title: 'REPLICAS',
    letter: 'R',
    width: 9,
    align: 'right',
    rank: 1,
    cell: (model) => `${replicasOf(model)}`,
    value: replicasOf,
  },
  {
    id: 'loaded',
    title: 'LOADED',
    letter: 'O',
    width: 7,
    align: 'right',
    rank: 2,
    cell: ({loaded}) => (loaded.length > 0 ? {text: `${loaded.length}`, tone: 'good'} : '0'),
    value: ({loaded}) => loaded.length,
  },
  {
    id: 'drift',
    title: 'DRIFT',
    letter: 'D',
    width: 11,
    rank: 3,
    cell: (model) => (model.drift ? {text: driftOf(model), tone: 'warn'} : 'none'),
    value: ({versions}) => -versions.length,
  },
  {
    id: 'where',
    title: 'LOADED ON',
    letter: 'W',
    width: 14,
    grow: 3,
    rank: 5,
    cell: ({loaded}) => loaded.join(', ') || '-',
    value: ({loaded}) => loaded[0],
  },
]

/** The nodes that have a model, by what they have under its name: the first line is what most have. */
export function versionLines(model: FleetModel): readonly {digest: string; text: string}[] {
  return model.versions.map(({digest, sizeBytes, nodes}) => ({
    digest,
    text: `${bytes(sizeBytes)} on ${nodes.length} ${nodes.length === 1 ? 'node' : 'nodes'}: ${nodes.join(', ')}`,
  }))
}
