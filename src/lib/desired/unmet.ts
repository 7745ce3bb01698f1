import type {WantedModel} from '../cluster/node.ts'
import {roundSize} from '../cluster/size.ts'
import type {Budget, Hindrance, Need} from './budget.ts'
import type {Candidate} from './candidate.ts'
import type {Unmet} from './placement.ts'

/** What keeps a new replica away from a node, in words; undefined: nothing. */
export function hindranceOf(
  {spec, state}: Candidate,
  need: Need,
  budget: Budget,
): Hindrance | undefined {
  if (state.silent) return {what: 'could not be read'}
  if (spec.drained) return {what: 'is drained'}
  if (state.closed !== undefined) return {what: state.closed}
  if (state.models === 'unknown') return {what: 'has no Ollama that answers yet'}
  return budget.hindrance(state, need)
}

interface Short {
  readonly wanted: WantedModel
  readonly need: Need
  /** How many can be had. */
  readonly count: number
}

/** `llama3.2:3b needs 4.7GiB on 2 nodes; only 1 can have it: gpu-2 lacks 1.2GiB of disk`. */
export function describeUnmet(
  {wanted, need, count}: Short,
  nodes: ReadonlyArray<readonly [Candidate, Hindrance | undefined]>,
): Unmet {
  const each = nodes.map(([{state}, hindrance]) => ({
    node: state.name,
    text: wordsOf(hindrance),
    ...(hindrance?.lacksBytes === undefined ? {} : {lacksBytes: hindrance.lacksBytes}),
  }))
  const {name, replicas, placement} = wanted
  const size = need.diskBytes === 'unknown' ? 'room of unknown size' : roundSize(need.diskBytes)
  const labels = Object.entries(placement.labels).map(([key, value]) => `${key}=${value}`)
  const where = labels.length > 0 ? ` with ${labels.join(', ')}` : ''
  const on =
    replicas === 'all'
      ? `every node${where}`
      : `${replicas} node${replicas === 1 ? '' : 's'}${where}`
  const can = count === 0 ? 'none can have it' : `only ${count} can have it`
  const why =
    each.length > 0
      ? each.map(({node, text}) => `${node} ${text}`).join(', ')
      : 'there is no other node'
  return {
    model: name,
    wanted: replicas,
    placed: count,
    needBytes: need.diskBytes,
    nodes: each,
    text: `${name} needs ${size} on ${on}; ${can}: ${why}`,
  }
}

/** A replica that is there and cannot stay in memory, in the same form. */
export function describeCold(
  {wanted, need, count}: Short,
  {state}: Candidate,
  hindrance: Hindrance,
): Unmet {
  const text = wordsOf(hindrance)
  const {lacksBytes} = hindrance
  return {
    model: wanted.name,
    wanted: wanted.replicas,
    placed: count,
    needBytes: need.memoryBytes,
    nodes: [{node: state.name, text, ...(lacksBytes === undefined ? {} : {lacksBytes})}],
    text: `${wanted.name} cannot be kept in memory there: ${state.name} ${text}`,
  }
}

function wordsOf(hindrance: Hindrance | undefined): string {
  if (!hindrance) return 'has no room beside the others'
  const {what, lacksBytes} = hindrance
  return lacksBytes === undefined ? what : `lacks ${roundSize(lacksBytes)} of ${what}`
}
