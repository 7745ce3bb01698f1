import type {Finding} from '../../cluster/finding.ts'
import type {NodeSpec, SshNode} from '../../cluster/node.ts'
import type {Reading} from '../../cluster/reading.ts'
import {messageOf, OllamaxError} from '../../errors.ts'
import {planNode} from '../../provision/plan.ts'
import {probe} from '../../provision/probe.ts'
import {observe} from '../observe.ts'
import type {Tools} from '../tools.ts'
import {wantedHost} from '../wanted-host.ts'
import type {Examined} from './diagnose-host.ts'
import {readVitals} from './read-vitals.ts'
import {VITALS} from './vitals-script.ts'

export type ExamineTools = Pick<Tools, 'dial' | 'endpoint' | 'signal' | 'paths' | 'clusterName'>

/** Looks at a host out of band, over SSH, without changing it. Throws what connecting throws. */
export async function examineHost(tools: ExamineTools, node: SshNode): Promise<Examined> {
  const {signal} = tools
  const remote = await tools.dial(node)
  const wanted = wantedHost(node)
  const [facts, said, reading] = await Promise.all([
    probe(remote, {port: wanted.port, signal}),
    remote.exec(VITALS, {reads: true, args: [node.install ?? ''], signal}),
    readThrough(tools, node),
  ])
  return {node, facts, plan: planNode(facts, wanted), vitals: readVitals(said.stdout), reading}
}

const READING_MS = 10_000

/** One reading on the way that requests take. */
export async function readThrough(tools: ExamineTools, node: NodeSpec): Promise<Reading> {
  const [reading] = await observe(tools, [node], {timeoutMs: READING_MS})
  if (reading) return reading
  throw new Error('a node without a reading')
}

/** What is wrong with a node that is reached by its URL, or with the embedded one. */
export function diagnoseReading(node: NodeSpec, reading: Reading): Finding[] {
  if (reading.kind === 'up') return []
  return [
    {
      severity: 'error',
      check: 'answer',
      text: 'it does not answer',
      cause: reading.message,
      next: node.kind === 'embedded' ? 'ollamax engine start' : 'look at it on its own machine',
    },
  ]
}

/** A host that could not be looked at: the error's own words and suggestions. */
export function diagnoseUnreachable(error: unknown): Finding {
  const next = OllamaxError.is(error) ? error.suggestions[0] : undefined
  return {
    severity: 'error',
    check: OllamaxError.is(error) ? error.code.toLowerCase().replaceAll('_', '-') : 'ssh',
    text: 'it cannot be looked at over SSH',
    cause: messageOf(error),
    ...(next === undefined ? {} : {next}),
  }
}
