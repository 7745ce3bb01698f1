import {modelKey} from '../cluster/model-name.ts'
import type {Cluster} from '../cluster/node.ts'
import type {Wave} from './cluster-plan.ts'
import type {NodeState} from './fleet-state.ts'
import {onlyThere, onlyThereText} from './only-there.ts'
import {isSetUp} from './place-models.ts'
import type {Placement, Replica} from './placement.ts'

export interface NotesFor {
  readonly cluster: Pick<Cluster, 'nodes' | 'models' | 'aliases'>
  readonly placement: Pick<Placement, 'replicas' | 'surplus'>
  readonly states: readonly NodeState[]
  /** The waves in which Ollama itself is changed. */
  readonly changes: readonly Wave[]
  readonly prune: boolean | undefined
}

/** What works, and an operator should know, in words. */
export function notesOf({cluster, placement, states, changes, prune}: NotesFor): string[] {
  const {replicas, surplus} = placement
  const unknown = states.filter((state) => state.models === 'unknown' && isSetUp(state))
  return [
    ...brokenOffNotes(states),
    ...onlyThereNotes(cluster, states, changes),
    ...unknown.map(
      ({name}) => `${name}: what it has is known once its Ollama runs; plan again then`,
    ),
    ...surplusNotes(surplus, prune),
    ...digestNotes(replicas, states),
  ]
}

/** Of a node that cannot be read nothing is done, and somebody may have to look after it. */
function brokenOffNotes(states: readonly NodeState[]): string[] {
  return states.flatMap(({name, interrupted, silent}) =>
    interrupted && silent
      ? [`${name} is drained since a change of it was broken off, and cannot be read now`]
      : [],
  )
}

function onlyThereNotes(
  {nodes, models, aliases}: Pick<Cluster, 'nodes' | 'models' | 'aliases'>,
  states: readonly NodeState[],
  waves: readonly Wave[],
): string[] {
  const drained = new Set(nodes.flatMap((node) => (node.drained ? [node.name] : [])))
  const fleet = states.map((state) => ({
    ...state,
    serves: !state.silent && !drained.has(state.name),
  }))
  const wanted = new Set(
    [...(models ?? []).map(({name}) => name), ...Object.values(aliases ?? {})].map(modelKey),
  )
  return waves.flatMap(({actions}) => {
    const names = actions.map(({node}) => node)
    const text = onlyThereText(names, onlyThere(names, fleet, wanted))
    return text === undefined ? [] : [names.length === 1 ? `${names[0]}: ${text}` : text]
  })
}

function surplusNotes(surplus: Placement['surplus'], prune: boolean | undefined): string[] {
  if (prune) return []
  const more = new Map<string, string[]>()
  for (const {model, node} of surplus) more.set(model, [...(more.get(model) ?? []), node])
  return [...more].map(
    ([model, nodes]) =>
      `${model} is also on ${nodes.join(', ')}, more than wanted; --prune would remove it there`,
  )
}

/** The same name may be another model elsewhere: then an answer depends on the node. */
function digestNotes(replicas: readonly Replica[], states: readonly NodeState[]): string[] {
  const notes: string[] = []
  for (const model of new Set(replicas.map((replica) => replica.model))) {
    const key = modelKey(model)
    const digests = new Map<string, string[]>()
    for (const {name, models, silent} of states) {
      if (silent || models === 'unknown') continue
      const tag = models.find((one) => modelKey(one.name) === key)
      if (tag) digests.set(tag.digest, [...(digests.get(tag.digest) ?? []), name])
    }
    if (digests.size > 1)
      notes.push(
        `${model} is not the same everywhere: ${[...digests].map(([digest, nodes]) => `${digest.slice(0, 12)} on ${nodes.join(', ')}`).join('; ')}`,
      )
  }
  return notes
}
