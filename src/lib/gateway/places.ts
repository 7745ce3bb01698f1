import {sameModel} from '../cluster/model-name.ts'
import type {FleetNode} from './fleet.ts'

type Entry = Readonly<Record<string, unknown>>

/** Up, and not taken out by the operator. */
export function canBeAsked({spec, reading}: FleetNode): boolean {
  return reading?.kind === 'up' && !spec.drained
}

/** The nodes that have a model on disk. */
export function holdersOf(nodes: readonly FleetNode[], model: string): FleetNode[] {
  return nodes.filter(({tags}) => tags.some((entry) => isNamed(entry, model)))
}

/** The other nodes that have exactly the model that one has under this name. */
export function twinsOf(nodes: readonly FleetNode[], model: string, node: string): FleetNode[] {
  const of = ({tags}: FleetNode) => tags.find((entry) => isNamed(entry, model))?.digest
  const origin = nodes.find(({spec}) => spec.name === node)
  const digest = origin && of(origin)
  if (typeof digest !== 'string' || digest === '') return []
  return nodes.filter((other) => other !== origin && canBeAsked(other) && of(other) === digest)
}

/** The nodes that have a model in memory, under this name or as the same model under another. */
export function loadedOn(nodes: readonly FleetNode[], model: string): FleetNode[] {
  return nodes.filter(({tags, ps}) => {
    const digest = tags.find((entry) => isNamed(entry, model))?.digest
    return ps.some(
      (entry) => isNamed(entry, model) || (digest !== undefined && entry.digest === digest),
    )
  })
}

/** A node that computes on a GPU first, then the one with fewer models, then by name: always the same order. */
export function byAptitude(a: FleetNode, b: FleetNode): number {
  const gpu = ({ps}: FleetNode) => (ps.some((entry) => Number(entry.size_vram) > 0) ? 1 : 0)
  return gpu(b) - gpu(a) || a.tags.length - b.tags.length || a.spec.name.localeCompare(b.spec.name)
}

function isNamed(entry: Entry, model: string): boolean {
  const name = entry.name ?? entry.model
  return typeof name === 'string' && sameModel(name, model)
}
