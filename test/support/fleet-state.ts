import type {NodeSpec, WantedModel} from '../../src/lib/cluster/node.ts'
import type {ModelTag} from '../../src/lib/cluster/reading.ts'
import {
  actionsOf,
  type ClusterAction,
  type ClusterPlan,
} from '../../src/lib/desired/cluster-plan.ts'
import type {NodeState} from '../../src/lib/desired/fleet-state.ts'

const GIB = 2 ** 30

export const gib = (count: number) => Math.round(count * GIB)

/** A node that is reached over SSH. */
export function sshNode(name: string, change: Partial<NodeSpec> = {}): NodeSpec {
  const node = {kind: 'ssh', name, ssh: name, labels: {}, drained: false, ollama: {}} as const
  return {...node, ...change} as NodeSpec
}

/** A model as a node lists it; its digest is its name's. */
export function tag(name: string, sizeGib: number): ModelTag {
  return {name, digest: `sha-${name}`, sizeBytes: gib(sizeGib), modifiedAt: ''}
}

/** A machine of its own without models, with 100 GiB of disk and 64 GiB of memory. */
export function state(name: string, change: Partial<NodeState> = {}): NodeState {
  return {
    name,
    host: name,
    models: [],
    loaded: [],
    freeBytes: gib(100),
    memoryBytes: gib(64),
    gpuBytes: 0,
    maxLoaded: 3,
    ...change,
  }
}

export function model(name: string, change: Partial<WantedModel> = {}): WantedModel {
  return {
    name,
    replicas: 1,
    placement: {labels: {}, strategy: 'spread'},
    warm: false,
    pin: false,
    ...change,
  }
}

/** The fleet after a plan was done as it says. `sizes`: of models that nobody had. */
export function afterPlan(
  states: readonly NodeState[],
  plan: Pick<ClusterPlan, 'waves'>,
  sizes: ReadonlyMap<string, number> = new Map(),
): NodeState[] {
  return actionsOf(plan).reduce<NodeState[]>(
    (fleet, action) => done(fleet, action, sizes),
    [...states],
  )
}

function done(
  fleet: readonly NodeState[],
  action: ClusterAction,
  sizes: ReadonlyMap<string, number>,
): NodeState[] {
  const at = fleet.find(({name}) => name === action.node)
  if (!at || at.silent) throw new Error(`an action on ${action.node}, which cannot be read`)
  const change = (next: Partial<NodeState>, freed = 0) =>
    fleet.map((one) => ({
      ...one,
      ...(one.name === action.node ? next : {}),
      // All nodes of a machine see the same disk.
      ...(one.host === at.host && one.freeBytes !== 'unknown'
        ? {freeBytes: one.freeBytes + freed}
        : {}),
    }))
  if (action.kind === 'setup')
    return change({setup: {steps: [], changes: [], texts: [], problems: []}, loaded: []})
  const {models} = at
  if (models === 'unknown') throw new Error(`a model for ${at.name}, whose models are unknown`)
  if (action.kind === 'remove') {
    const kept = models.filter(({name}) => name !== action.model)
    if (kept.length === models.length) throw new Error(`${action.model} is not on ${at.name}`)
    return change({models: kept}, action.bytes === 'unknown' ? 0 : action.bytes)
  }
  const found = fleet
    .flatMap((one) => (one.models === 'unknown' ? [] : one.models))
    .find(({name}) => name === action.model)
  if (action.kind === 'warm') {
    if (!models.some(({name}) => name === action.model))
      throw new Error(`${action.model} is to be loaded on ${at.name}, which lacks it`)
    const loaded = {
      name: action.model,
      digest: found?.digest ?? '',
      sizeBytes: Math.ceil((found?.sizeBytes ?? 0) * 1.1),
      vramBytes: 0,
      expiresAt: '2319-01-01T00:00:00Z',
      ...(action.context === undefined ? {} : {contextLength: action.context}),
    }
    return change({loaded: [...at.loaded.filter(({name}) => name !== action.model), loaded]})
  }
  if (models.some(({name}) => name === action.model))
    throw new Error(`${at.name} has ${action.model} already`)
  if (action.kind === 'copy') {
    const source = fleet.find(({name}) => name === action.from[0])
    if (
      !source ||
      source.models === 'unknown' ||
      !source.models.some((m) => m.name === action.model)
    )
      throw new Error(`${action.from[0]} cannot give ${action.model} away`)
  }
  const sizeBytes = found?.sizeBytes ?? sizes.get(action.model) ?? 0
  const got = found ?? {
    name: action.model,
    digest: `sha-${action.model}`,
    sizeBytes,
    modifiedAt: '',
  }
  return change({models: [...models, got]}, -sizeBytes)
}
