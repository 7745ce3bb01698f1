import type {Reading} from '../cluster/reading.ts'
import type {Excluded} from './candidates.ts'
import type {Job} from './job.ts'
import type {NodeState} from './node-state.ts'

const TEXT: Readonly<Record<Excluded['reason'], string>> = {
  drained: 'drained',
  down: 'does not answer',
  silent: 'has not answered yet',
  'no-model': 'does not have the model',
  unable: 'cannot do this with the model',
  tried: 'was asked before',
  broken: 'failed of late',
  banned: 'could not load the model',
  busy: 'has enough to do',
  other: 'was not asked for',
}

/** A node that cannot take a request, in words; of one that is down in those of its last reading. */
export function excludedAs(
  reason: Excluded['reason'],
  {name, reading}: {readonly name: string; readonly reading?: Reading | undefined},
): Excluded {
  const told = reason === 'down' && reading?.kind === 'down'
  return {node: name, reason, text: told ? `${reading.code}: ${reading.message}` : TEXT[reason]}
}

/** The nodes that cannot take the job now, and why. */
export function explainExcluded(
  job: Job,
  nodes: ReadonlyMap<string, NodeState>,
  nowMs: number,
): Excluded[] {
  const excluded: Excluded[] = []
  for (const node of nodes.values()) {
    const reason = reasonFor(job, node, nowMs)
    if (reason !== undefined) excluded.push(excludedAs(reason, node))
  }
  return excluded
}

function reasonFor(job: Job, node: NodeState, nowMs: number): Excluded['reason'] | undefined {
  const replica = node.replicas.get(job.model.key)
  if (replica) return replica.blocked(job, nowMs)
  const {only} = job.request
  if (only !== undefined && only !== node.name) return 'other'
  if (node.spec.drained && only === undefined) return 'drained'
  if (!node.reading) return 'silent'
  return node.down ? 'down' : 'no-model'
}
