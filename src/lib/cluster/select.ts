import {OllamaxError} from '../errors.ts'
import {fitsGlob} from './glob.ts'
import {labelProblem} from './names.ts'
import {nearest} from './nearest.ts'
import type {NodeSpec} from './node.ts'

/** Which nodes a command is about. Both empty: all of them. */
export interface Selection {
  /** Names, or globs with `*` and `?`. A node is taken if any of them fits. */
  readonly names: readonly string[]
  /** `k=v`, `k!=v` (also without k), `k` (has it), `!k` (has it not). All of them must fit. */
  readonly labels: readonly string[]
}

/**
 * The selected nodes, sorted by name (`h2` before `h10`): several that were added at once stand in the file as
 * they happened to finish. A name or glob that fits no node is
 * NODE_NOT_FOUND, with the nearest name; so is a selection by label that leaves none. BAD_INPUT for a
 * label selector that cannot be read.
 */
export function selectNodes(nodes: readonly NodeSpec[], {names, labels}: Selection): NodeSpec[] {
  const matchers = names.map((name) => nameMatcher(name, nodes))
  const wanted = labels.map(labelMatcher)
  const chosen = nodes.filter(
    (node) =>
      (matchers.length === 0 || matchers.some((fits) => fits(node.name))) &&
      wanted.every((fits) => fits(node)),
  )
  if (chosen.length > 0 || labels.length === 0) return chosen.sort(byName)
  throw new OllamaxError('NODE_NOT_FOUND', `no node has the labels ${labels.join(', ')}`, {
    suggestions: ['see the labels: ollamax node list'],
  })
}

const byName = (a: NodeSpec, b: NodeSpec): number =>
  a.name.localeCompare(b.name, 'en', {numeric: true})

/** The node of that very name. NODE_NOT_FOUND, with the nearest name. */
export function oneNode(nodes: readonly NodeSpec[], name: string): NodeSpec {
  const found = nodes.find((node) => node.name === name)
  if (found) return found
  const names = nodes.map((node) => node.name)
  const near = nearest(name, names)
  throw new OllamaxError('NODE_NOT_FOUND', `there is no node "${name}" in this cluster`, {
    suggestions: [
      near
        ? `did you mean "${near}"?`
        : names.length > 0
          ? 'see them all: ollamax node list'
          : 'add one first: ollamax node add user@host',
    ],
    details: {name, nodes: names},
  })
}

function nameMatcher(name: string, nodes: readonly NodeSpec[]): (other: string) => boolean {
  if (!/[*?]/.test(name)) {
    oneNode(nodes, name)
    return (other) => other === name
  }
  if (!nodes.some((node) => fitsGlob(name, node.name)))
    throw new OllamaxError('NODE_NOT_FOUND', `no node's name fits "${name}"`, {
      suggestions: ['see them all: ollamax node list'],
      details: {name, nodes: nodes.map((node) => node.name)},
    })
  return (other) => fitsGlob(name, other)
}

function labelMatcher(text: string): (node: NodeSpec) => boolean {
  const found = /^(?:(!)?([^!=]+)|([^!=]+)(!?=)=?(.*))$/.exec(text.trim())
  const [, not, bare, key = bare ?? '', sign, value = ''] = found ?? []
  const problem = found ? labelProblem(key, value) : 'it is none of k=v, k!=v, k and !k'
  if (problem)
    throw new OllamaxError('BAD_INPUT', `cannot select by the label "${text}": ${problem}`, {
      suggestions: ['for example --label tier=fast, --label tier!=slow or --label gpu'],
    })
  if (sign === '=') return (node) => node.labels[key] === value
  if (sign === '!=') return (node) => node.labels[key] !== value
  return (node) => Object.hasOwn(node.labels, key) === !not
}

/** A change of labels: `k=v` sets, `k-` removes. */
export type LabelEdit =
  | {readonly kind: 'set'; readonly key: string; readonly value: string}
  | {readonly kind: 'remove'; readonly key: string}

/** Reads `k=v` and `k-`. BAD_INPUT for anything else. */
export function parseLabelEdit(text: string): LabelEdit {
  const at = text.indexOf('=')
  const edit: LabelEdit | undefined =
    at > 0
      ? {kind: 'set', key: text.slice(0, at), value: text.slice(at + 1)}
      : text.endsWith('-')
        ? {kind: 'remove', key: text.slice(0, -1)}
        : undefined
  const problem = edit
    ? labelProblem(edit.key, edit.kind === 'set' ? edit.value : '')
    : 'it is neither k=v nor k-'
  if (edit && !problem) return edit
  throw new OllamaxError('BAD_INPUT', `cannot change the label "${text}": ${problem}`, {
    suggestions: ['set one with tier=fast, remove one with tier-'],
  })
}

/** The labels after the changes, in their order. */
export function editLabels(
  labels: Readonly<Record<string, string>>,
  edits: readonly LabelEdit[],
): Record<string, string> {
  const after = {...labels}
  for (const edit of edits) {
    if (edit.kind === 'set') after[edit.key] = edit.value
    else delete after[edit.key]
  }
  return after
}
