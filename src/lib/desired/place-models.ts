import {modelKey} from '../cluster/model-name.ts'
import type {Cluster, NodeSpec, WantedModel} from '../cluster/node.ts'
import {Budget, inMemory, type Need} from './budget.ts'
import type {Candidate} from './candidate.ts'
import {chooseNodes, settled} from './choose-nodes.ts'
import {hasLabels} from './effective.ts'
import type {Bytes, NodeState} from './fleet-state.ts'
import type {Placement, Replica, Unmet} from './placement.ts'
import {describeCold, describeUnmet, hindranceOf} from './unmet.ts'

export interface PlaceOptions {
  /** Choices of before, as `replicaKey` makes them: kept where they are as good as others. */
  readonly prefer?: ReadonlySet<string>
}

/**
 * Where each wanted model is to lie: what is there stays, and only what is missing is placed, within disk and memory
 * as far as they are known. Pure, and the same for the same arguments. What cannot be met says by how much.
 */
export function placeModels(
  cluster: Pick<Cluster, 'nodes' | 'models'>,
  states: readonly NodeState[],
  options: PlaceOptions = {},
): Placement {
  const budget = new Budget(states)
  const replicas: Replica[] = []
  const surplus: Array<{model: string; node: string}> = []
  const unmet: Unmet[] = []
  const wishes = (cluster.models ?? []).map((wanted, at) => {
    const all = candidatesOf(cluster.nodes, states, wanted.name)
    const candidates = all.filter(({spec}) => hasLabels(spec, wanted.placement.labels))
    const need = needOf(wanted, states)
    const there = candidates.filter(({has}) => has)
    const open = candidates.filter(({has, spec, state}) => !has && isOpen(spec, state))
    const count = wanted.replicas === 'all' ? there.length + open.length : wanted.replicas
    const kept = settled(there, wanted).slice(0, count)
    for (const one of kept) {
      const warm = keepsWarm(one, need)
      const hindrance = warm ? budget.warmHindrance(one.state, need) : undefined
      if (hindrance) unmet.push(describeCold({wanted, need, count: kept.length}, one, hindrance))
      else budget.warm(one.state, {...need, warm})
      replicas.push({
        ...place(wanted, one),
        kept: true,
        warm: warm && !hindrance,
        why: 'has it already',
      })
    }
    const names = new Set(kept.map(({state}) => state.name))
    for (const {has, state} of all)
      if (has && !names.has(state.name) && state.models !== 'unknown')
        surplus.push({model: wanted.name, node: state.name})
    return {wanted, at, need, candidates, missing: count - kept.length}
  })
  const open = wishes.filter(({missing}) => missing > 0)
  const chosen = chooseNodes(open, {budget, prefer: options.prefer})
  for (const [wish, picks] of chosen) {
    const {wanted, need, missing, candidates} = wish
    for (const {candidate, why} of picks)
      replicas.push({...place(wanted, candidate), kept: false, warm: wanted.warm, why})
    if (picks.length === missing) continue
    const taken = new Set(picks.map(({candidate}) => candidate.state.name))
    const left = candidates.filter(({has, state}) => !has && !taken.has(state.name))
    const had = replicas.filter(({model}) => model === wanted.name).length
    unmet.push(
      describeUnmet(
        {wanted, need, count: had},
        left.map((one) => [one, hindranceOf(one, need, budget)]),
      ),
    )
  }
  const order = new Map(wishes.map(({wanted, at}) => [wanted.name, at]))
  const inOrder = <T extends {model: string; node?: string}>(list: T[]) =>
    list.sort(
      (a, b) =>
        (order.get(a.model) ?? 0) - (order.get(b.model) ?? 0) ||
        (a.node ?? '').localeCompare(b.node ?? '', 'en'),
    )
  return {replicas: inOrder(replicas), surplus: inOrder(surplus), unmet: inOrder(unmet)}
}

const place = ({name}: WantedModel, {state}: Candidate) => ({model: name, node: state.name})

/** Nothing is loaded where no request goes, and nothing where nobody can look. */
const keepsWarm = ({spec, state}: Candidate, {warm}: Need) => warm && !spec.drained && !state.silent

/** True if a new replica could go there, were there room. */
const isOpen = (spec: NodeSpec, state: NodeState) =>
  !spec.drained && !state.silent && state.closed === undefined && state.models !== 'unknown'

function candidatesOf(
  nodes: readonly NodeSpec[],
  states: readonly NodeState[],
  model: string,
): Candidate[] {
  const byName = new Map(states.map((state) => [state.name, state]))
  return nodes.flatMap((spec) => {
    const state = byName.get(spec.name)
    return state ? [{spec, state, has: holds(state, model)}] : []
  })
}

/** True if the node has the model, or counts as if it had. */
export function holds(state: NodeState, model: string): boolean {
  const {models, silent, closed} = state
  if (silent && !silent.counts) return false
  if (models === 'unknown') return closed === undefined && (silent !== undefined || isSetUp(state))
  const key = modelKey(model)
  return models.some(({name}) => modelKey(name) === key)
}

/** True if its Ollama will run once the plan is done: what it has is known only then. */
export const isSetUp = ({silent, setup}: NodeState) =>
  !silent && setup !== undefined && setup.steps.length > 0 && setup.problems.length === 0

/** What a replica takes: as it was seen on some node; unknown where nobody has it. */
export function needOf({name, warm}: WantedModel, states: readonly NodeState[]): Need {
  const key = modelKey(name)
  const tags = states.flatMap(({models}) =>
    models === 'unknown' ? [] : models.filter((model) => modelKey(model.name) === key),
  )
  const digests = new Set(tags.map(({digest}) => digest))
  const sizes = tags.map(({sizeBytes}) => sizeBytes)
  const diskBytes: Bytes = sizes.length > 0 ? Math.max(...sizes) : 'unknown'
  if (diskBytes === 'unknown') return {diskBytes, memoryBytes: 'unknown', warm}
  const seen = states
    .flatMap(({loaded}) => loaded.filter(({digest}) => digests.has(digest)))
    .map(({sizeBytes}) => sizeBytes)
  const memoryBytes = seen.length > 0 ? Math.max(...seen) : inMemory(diskBytes)
  return {diskBytes, memoryBytes, warm}
}
