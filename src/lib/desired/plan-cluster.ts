import {modelKey} from '../cluster/model-name.ts'
import type {Cluster, NodeSpec, WantedModel} from '../cluster/node.ts'
import type {ClusterAction, ClusterPlan, Wave} from './cluster-plan.ts'
import type {NodeState} from './fleet-state.ts'
import {isForever, isLoadedAs} from './memory.ts'
import {holds, needOf, placeModels} from './place-models.ts'
import type {Placement} from './placement.ts'
import {notesOf} from './plan-notes.ts'

export interface PlanOptions {
  /** Also remove what nobody wants: models that the file does not name, and replicas too many. */
  readonly prune?: boolean
  /** Choices of before, see `PlaceOptions`. */
  readonly prefer?: ReadonlySet<string>
}

/** What has to happen for the fleet to be as the file says. Pure: the same fleet gives the same plan. */
export function planCluster(
  cluster: Pick<Cluster, 'nodes' | 'models' | 'aliases'>,
  states: readonly NodeState[],
  options: PlanOptions = {},
): ClusterPlan {
  const placement = placeModels(cluster, states, options)
  const wanted = new Map((cluster.models ?? []).map((model) => [model.name, model]))
  const setups = states.flatMap((state) => setupOf(state))
  const waves: Wave[] = [
    ...setupWaves(setups, states.length),
    {title: 'pull models', actions: pulls(cluster, placement, states)},
    {title: 'copy models', actions: copies(cluster, {placement, wanted, states})},
    {title: 'load models', actions: warms(placement, {wanted, states})},
    ...(options.prune
      ? [{title: 'remove what nobody wants', actions: removals(cluster, placement, states)}]
      : []),
  ]
  return {
    waves: waves.filter(({actions}) => actions.length > 0),
    replicas: placement.replicas,
    unmet: placement.unmet,
    unfit: states.flatMap(({name, silent, setup}) =>
      silent ? [] : (setup?.problems ?? []).map((text) => ({node: name, text})),
    ),
    silent: states.flatMap(({name, silent}) =>
      silent ? [{node: name, reason: silent.reason}] : [],
    ),
    notes: notesOf({
      cluster,
      placement,
      states,
      changes: setupWaves(setups, states.length),
      prune: options.prune,
    }),
  }
}

/** What a change that was broken off leaves to be done where all else is as it is wanted. */
const FINISH = {
  steps: ['try it, and let it take requests again'],
  changes: [{key: 'requests', wanted: 'let in', actual: 'kept away since a change was broken off'}],
}

function setupOf({name, silent, setup, interrupted}: NodeState): ClusterAction[] {
  if (!setup || silent || setup.problems.length > 0) return []
  const more = interrupted ? FINISH : {steps: [], changes: []}
  const steps = [...setup.steps, ...more.steps]
  const changes = [...setup.changes, ...more.changes]
  if (steps.length === 0) return []
  const {takesOver} = setup
  return [
    {kind: 'setup', node: name, steps, changes, ...(takesOver === undefined ? {} : {takesOver})},
  ]
}

/** One node first, to see whether it works; then at most half of the fleet at once, so that the rest answers. */
function setupWaves(setups: readonly ClusterAction[], nodes: number): Wave[] {
  const most = Math.max(1, Math.floor(nodes / 2))
  const waves: Wave[] = []
  for (let at = 0; at < setups.length; ) {
    const count = at === 0 ? 1 : most
    const title = at === 0 && setups.length > 1 ? 'change Ollama on one node' : 'change Ollama'
    waves.push({title, actions: setups.slice(at, at + count)})
    at += count
  }
  return waves
}

/** Nodes that can give the model away now: their store can be read, and it is known to be there. */
function givers(nodes: readonly NodeSpec[], states: readonly NodeState[], model: string): string[] {
  const overSsh = new Set(nodes.flatMap(({name, kind}) => (kind === 'ssh' ? [name] : [])))
  return states
    .filter((state) => !state.silent && state.models !== 'unknown' && holds(state, model))
    .map(({name}) => name)
    .filter((name) => overSsh.has(name))
    .sort()
}

/** The first new replica of a model that no node can give away. */
function pulls(
  {nodes}: Pick<Cluster, 'nodes'>,
  {replicas}: Placement,
  states: readonly NodeState[],
): Array<Extract<ClusterAction, {kind: 'pull'}>> {
  const seen = new Set<string>()
  return replicas.flatMap(({model, node, kept, why}) => {
    if (kept || seen.has(model) || givers(nodes, states, model).length > 0) return []
    seen.add(model)
    return [{kind: 'pull', node, model, why}]
  })
}

interface Look {
  readonly placement: Placement
  readonly wanted: ReadonlyMap<string, WantedModel>
  readonly states: readonly NodeState[]
}

function copies(
  {nodes}: Pick<Cluster, 'nodes'>,
  {placement, wanted, states}: Look,
): ClusterAction[] {
  const pulled = new Map(pulls({nodes}, placement, states).map(({model, node}) => [model, node]))
  return placement.replicas.flatMap(({model, node, kept, why}): ClusterAction[] => {
    const from = pulled.get(model)
    const want = wanted.get(model)
    if (kept || from === node || !want) return []
    const sources = from === undefined ? givers(nodes, states, model) : [from]
    return [{kind: 'copy', node, model, from: sources, bytes: needOf(want, states).diskBytes, why}]
  })
}

function warms({replicas}: Placement, {wanted, states}: Pick<Look, 'wanted' | 'states'>) {
  return replicas.flatMap(({model, node, warm, kept}): ClusterAction[] => {
    const want = wanted.get(model)
    const state = states.find(({name}) => name === node)
    if (!warm || !want || !state) return []
    const why = kept ? notWarm(state, want) : 'it is to be kept in memory'
    const {context} = want
    return why === undefined
      ? []
      : [{kind: 'warm', node, model, ...(context === undefined ? {} : {context}), why}]
  })
}

/** Why a replica is not in memory as it should be; undefined: it is. */
function notWarm(state: NodeState, {name, context}: WantedModel): string | undefined {
  const {models, loaded} = state
  if (models === 'unknown') return undefined
  if (setupOf(state).length > 0) return 'Ollama is started anew there'
  const key = modelKey(name)
  const tag = models.find((model) => modelKey(model.name) === key)
  const found = loaded.find((one) => modelKey(one.name) === key || one.digest === tag?.digest)
  if (!found) return 'it is not in memory'
  if (!isForever(found)) return 'it would be unloaded after a while'
  return isLoadedAs(found, tag, context)
    ? undefined
    : `it is loaded with a context of ${found.contextLength}`
}

function removals(
  {nodes, models, aliases}: Pick<Cluster, 'nodes' | 'models' | 'aliases'>,
  {surplus, unmet}: Placement,
  states: readonly NodeState[],
): ClusterAction[] {
  const wanted = new Map((models ?? []).map((model) => [modelKey(model.name), model]))
  const named = new Set([...wanted.keys(), ...Object.values(aliases ?? {}).map(modelKey)])
  const short = new Set(unmet.map(({model}) => modelKey(model)))
  const kinds = new Map(nodes.map(({name, kind}) => [name, kind]))
  return states.flatMap(({name: node, silent, models: there}): ClusterAction[] => {
    if (silent || there === 'unknown' || kinds.get(node) === 'embedded') return []
    return there.flatMap(({name: model, sizeBytes: bytes}): ClusterAction[] => {
      const key = modelKey(model)
      const tooMany = surplus.some((one) => one.node === node && modelKey(one.model) === key)
      if (named.has(key) && !tooMany) return []
      // Pinned ones are never removed, and of what is short nothing is taken away.
      if (wanted.get(key)?.pin || short.has(key)) return []
      const why = tooMany
        ? 'there are more replicas than wanted'
        : 'the cluster file does not name it'
      return [{kind: 'remove', node, model, bytes, why}]
    })
  })
}
