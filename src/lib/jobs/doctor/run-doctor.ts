import type {Diagnosis, Finding} from '../../cluster/finding.ts'
import type {Cluster, NodeSpec, SshNode} from '../../cluster/node.ts'
import type {Reporter} from '../../cluster/report.ts'
import {type Selection, selectNodes} from '../../cluster/select.ts'
import {effectiveOllama} from '../../desired/effective.ts'
import {messageOf, OllamaxError} from '../../errors.ts'
import {asRoot} from '../../provision/privilege.ts'
import {eachOf} from '../each-of.ts'
import {provisionHost} from '../provision-host.ts'
import {rootOn} from '../root-on.ts'
import {type SudoPassword, sudoPasswordOf} from '../sudo-password.ts'
import type {Tools} from '../tools.ts'
import {wantedHost} from '../wanted-host.ts'
import {diagnoseHost, type Examined} from './diagnose-host.ts'
import {diagnoseOperator} from './diagnose-operator.ts'
import {diagnoseReading, diagnoseUnreachable, examineHost, readThrough} from './examine.ts'
import {isOrphan} from './read-vitals.ts'
import {REAP} from './vitals-script.ts'

export interface DoctorOptions {
  readonly selection: Selection
  /** Mend what can be mended, then look again. */
  readonly fix: boolean
  readonly concurrency: number
  readonly report: Reporter
}

/** What was found, and with `fix` what is left after mending. */
export interface Examination {
  readonly cluster: string
  /** Errors and warnings among all findings. */
  readonly errors: number
  readonly warnings: number
  readonly diagnoses: readonly Diagnosis[]
  /** What `fix` did, or tried in vain. */
  readonly fixes: ReadonlyArray<{
    readonly subject: string
    readonly done: boolean
    readonly text: string
  }>
}

/**
 * Finds out how things are by looking, on this machine and on each selected node. A node that cannot be
 * looked at is a finding. Errors are those of the cluster file, and NODE_NOT_FOUND.
 */
export async function runDoctor(tools: Tools, options: DoctorOptions): Promise<Examination> {
  const cluster = await tools.cluster()
  // With what groups want of them, as apply sees them.
  const nodes = selectNodes(cluster.nodes, options.selection).map((node) => ({
    ...node,
    ollama: effectiveOllama(cluster, node),
  }))
  const sudoPassword = sudoPasswordOf(tools, undefined)
  const fixes: Array<Examination['fixes'][number]> = []
  const onNodes = await eachOf(nodes, options.concurrency, async (node) => {
    const before = await examine(tools, node, options.report)
    const mendable = before.diagnosis.findings.some((finding) => finding.fixable)
    if (!options.fix || !before.seen || !mendable) return ended(before.diagnosis, options.report)
    fixes.push(...(await mend(tools, before.seen, {...options, sudoPassword})))
    return ended((await examine(tools, node, options.report)).diagnosis, options.report)
  })
  return summed(cluster, [await operator(tools, cluster), ...onNodes], fixes)
}

function ended(diagnosis: Diagnosis, report: Reporter): Diagnosis {
  const {subject, findings} = diagnosis
  const errors = findings.filter((finding) => finding.severity === 'error').length
  const many = `${findings.length} finding${findings.length === 1 ? '' : 's'}`
  const text = findings.length === 0 ? 'nothing found' : many
  report({kind: 'end', subject, ok: errors === 0, text})
  return diagnosis
}

async function operator(tools: Tools, cluster: Cluster): Promise<Diagnosis> {
  const findings = await diagnoseOperator(tools, cluster)
  return {subject: 'operator', kind: 'operator', findings}
}

function summed(
  cluster: Cluster,
  diagnoses: readonly Diagnosis[],
  fixes: Examination['fixes'],
): Examination {
  const all = diagnoses.flatMap((diagnosis) => diagnosis.findings)
  const count = (severity: Finding['severity']) =>
    all.filter((finding) => finding.severity === severity).length
  const errors = count('error')
  return {cluster: cluster.name, errors, warnings: count('warning'), diagnoses, fixes}
}

async function examine(
  tools: Tools,
  node: NodeSpec,
  report: Reporter,
): Promise<{readonly diagnosis: Diagnosis; readonly seen?: Examined}> {
  const {name: subject, kind} = node
  report({kind: 'start', subject, step: 'examine'})
  const startMs = performance.now()
  const done = (findings: readonly Finding[], seen?: Examined) => {
    report({kind: 'done', subject, step: 'examine', ms: performance.now() - startMs})
    return {diagnosis: {subject, kind, findings}, ...(seen ? {seen} : {})}
  }
  if (node.kind !== 'ssh') return done(diagnoseReading(node, await readThrough(tools, node)))
  try {
    const seen = await examineHost(tools, node)
    return done(diagnoseHost(seen), seen)
  } catch (error) {
    tools.signal.throwIfAborted()
    return done([diagnoseUnreachable(error)])
  }
}

type Mending = Pick<DoctorOptions, 'report'> & {readonly sudoPassword: SudoPassword}

/** Ends orphaned runners, then applies the plan. What fails is told; it is still among the findings then. */
async function mend(
  tools: Tools,
  seen: Examined,
  options: Mending,
): Promise<Array<Examination['fixes'][number]>> {
  const {node, plan} = seen
  const fixes: Array<Examination['fixes'][number]> = []
  const attempt = async (text: string, work: () => Promise<unknown>) => {
    try {
      await work()
      fixes.push({subject: node.name, done: true, text})
    } catch (error) {
      tools.signal.throwIfAborted()
      fixes.push({subject: node.name, done: false, text: `${text}: ${messageOf(error)}`})
    }
  }
  const orphans = seen.vitals?.runners.filter(isOrphan).map((runner) => runner.pid) ?? []
  if (orphans.length > 0)
    await attempt(`end runners without a server (pid ${orphans.join(', ')})`, () =>
      reap(tools, seen, {...options, orphans}),
    )
  const planned = [...(plan.missing ? ['install Ollama'] : []), ...plan.actions.map((a) => a.title)]
  if (planned.length > 0 && plan.install !== 'external')
    await attempt(planned.join(', '), () => applyPlan(tools, node, options))
  return fixes
}

async function reap(
  tools: Tools,
  {node, facts}: Examined,
  {orphans, sudoPassword}: Mending & {readonly orphans: readonly number[]},
): Promise<void> {
  const remote = await tools.dial(node)
  const call = {
    script: REAP,
    options: {
      title: 'end runners without a server',
      args: orphans.map(String),
      signal: tools.signal,
    },
  }
  // They belong to the account that the server ran as, which below the login account is that one.
  const said =
    node.install === 'user'
      ? await remote.exec(call.script, call.options)
      : await asRoot(remote, await rootOn(remote, facts, {name: node.name, sudoPassword}), call)
  const ended = said.stdout.split('\n').filter(Boolean).length
  if (ended < orphans.length)
    throw new OllamaxError(
      'ACTION_FAILED',
      `${ended} of ${orphans.length} ended; the others are gone or not ours to end`,
    )
}

/** The same way as `node add`: look, plan, apply, verify. */
async function applyPlan(
  tools: Tools,
  node: SshNode,
  {report, sudoPassword}: Mending,
): Promise<void> {
  await provisionHost(tools, {
    name: node.name,
    target: node.ssh,
    known: node,
    wanted: wantedHost(node),
    dryRun: false,
    yes: true,
    sudoPassword,
    downloads: new Map(),
    report,
  })
}
