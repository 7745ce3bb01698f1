import type {NodeSpec, SshNode} from '../cluster/node.ts'
import type {Reporter} from '../cluster/report.ts'
import {OllamaxError} from '../errors.ts'
import {apply} from '../provision/apply.ts'
import type {Artifact} from '../provision/artifact.ts'
import type {Facts} from '../provision/facts.ts'
import {planNode, stagedName} from '../provision/plan.ts'
import type {Plan, WantedNode} from '../provision/plan-value.ts'
import {probe} from '../provision/probe.ts'
import {type Verified, verify} from '../provision/verify.ts'
import type {Remote} from '../ssh/remote.ts'
import {confirmed} from './confirm.ts'
import {findSource, releasesUrl} from './find-source.ts'
import {rootOn} from './root-on.ts'
import type {SudoPassword} from './sudo-password.ts'
import type {Tools} from './tools.ts'

export interface ProvisionOptions {
  readonly name: string
  readonly target: string
  /** The node as the cluster file has it, if it is there. */
  readonly known?: SshNode | undefined
  readonly wanted: WantedNode
  readonly artifact?: Artifact | undefined
  readonly acceptHostKey?: boolean | string | undefined
  readonly dryRun: boolean
  /** Do not ask before the service of someone else is changed. */
  readonly yes: boolean
  /** Called only if sudo wants one. */
  readonly sudoPassword: SudoPassword
  /** Shared by all hosts of a run. */
  readonly downloads: Map<string, Promise<Artifact>>
  readonly report: Reporter
}

/** What became of a host. */
export interface Provisioned {
  /** The key to pin; undefined where a certificate authority answers for it, under which it may change. */
  readonly hostKey: string | undefined
  readonly facts: Facts
  readonly plan: Plan
  /** Absent with `dryRun`, and where nothing had to be done. */
  readonly verified?: Verified
  readonly warnings: readonly string[]
}

/**
 * Makes one host a node: look, plan, apply, verify. UNFIT names every reason why it cannot become one.
 * Does not touch the cluster file.
 */
export async function provisionHost(
  tools: Pick<Tools, 'ask' | 'dial' | 'signal' | 'env' | 'paths'>,
  options: ProvisionOptions,
): Promise<Provisioned> {
  const {name: subject, known, report, wanted} = options
  const {signal} = tools
  const {remote, facts, plan, artifact} = await lookAtHost(tools, options)
  const hostKey = remote.certified ? undefined : remote.hostKey
  const done = {hostKey, facts, plan, warnings: plan.warnings}
  // A node that is known and as it is wanted is left in peace.
  if (options.dryRun || (plan.actions.length === 0 && known)) return done
  if (plan.takesOver) {
    const change = 'set to listen on loopback alone and restarted, which cuts what it does now'
    await confirmed(tools, options.yes, `${subject}: ${plan.takesOver}, is ${change}. Go on?`)
  }
  const needsRoot = plan.actions.some((action) => action.root)
  const root = needsRoot ? await rootOn(remote, facts, options) : undefined
  await apply(remote, plan.actions, {root, artifact, subject, report, signal})
  const version = wanted.install ? wanted.version : undefined
  const verified = await verify(remote, {plan, facts, version, root, subject, report, signal})
  return {...done, verified, warnings: [...plan.warnings, ...verified.warnings]}
}

/** A host as it is, and what would make it what is wanted. */
export interface HostLook {
  readonly remote: Remote
  readonly facts: Facts
  readonly plan: Plan
  /** What the plan carries over. */
  readonly artifact: Artifact | undefined
}

/** Connects, looks and plans, without changing the host. UNFIT names every reason why it cannot become a node. */
export async function lookAtHost(
  tools: Pick<Tools, 'dial' | 'signal' | 'env' | 'paths'>,
  options: Omit<ProvisionOptions, 'yes' | 'sudoPassword'>,
): Promise<HostLook> {
  const {name, target, known, report, wanted} = options
  const {signal} = tools
  const subject = name
  report({kind: 'start', subject, step: 'connect'})
  const node: SshNode = known ?? {
    kind: 'ssh',
    name,
    ssh: target,
    labels: {},
    drained: false,
    ollama: {},
  }
  const {acceptHostKey} = options
  const remote = await tools.dial(node, acceptHostKey === undefined ? {} : {acceptHostKey})
  report({kind: 'start', subject, step: 'look at the host'})
  const facts = await probe(remote, {
    port: wanted.port,
    staged: options.artifact ? stagedName(options.artifact.sha256) : undefined,
    releasesUrl: options.artifact || !wanted.install ? undefined : releasesUrl(tools.env),
    signal,
  })
  const {plan, artifact} = await settle(tools, remote, {options, facts})
  if (plan.problems.length > 0) throw unfit(name, plan)
  return {remote, facts, plan, artifact}
}

interface Looked {
  readonly options: Omit<ProvisionOptions, 'yes' | 'sudoPassword'>
  readonly facts: Facts
}

/** The plan, after the program that it may need was found. */
async function settle(
  tools: Pick<Tools, 'signal' | 'env' | 'paths'>,
  remote: Remote,
  {options, facts}: Looked,
): Promise<{plan: Plan; artifact: Artifact | undefined}> {
  const {artifact, report, name: subject, wanted} = options
  const source = artifact ? ({kind: 'carry', artifact} as const) : undefined
  const plan = planNode(facts, {...wanted, source})
  if (!plan.missing || plan.problems.length > 0) return {plan, artifact}
  report({kind: 'start', subject, step: 'find the release'})
  const {version} = plan.missing
  const found = await findSource(tools, remote, {...options, facts, version, subject})
  return {
    plan: planNode(facts, {...wanted, source: found}),
    artifact: found.kind === 'carry' ? found.artifact : undefined,
  }
}

/** All reasons at once. */
function unfit(name: string, plan: Plan): OllamaxError {
  const [first] = plan.problems
  const text =
    plan.problems.length === 1
      ? `${name} cannot become a node: ${first?.text}`
      : [`${name} cannot become a node:`, ...plan.problems.map((it) => `  - ${it.text}`)].join('\n')
  return new OllamaxError('UNFIT', text, {
    suggestions: [...new Set(plan.problems.map((it) => it.next))],
    details: {node: name, problems: plan.problems.map((it) => it.text)},
  })
}

/** A warning if another node of the cluster is this very machine and service by its host key. */
export function twinWarning(nodes: readonly NodeSpec[], node: SshNode): string[] {
  const port = (it: NodeSpec) => it.ollama.port ?? 11_434
  const twin = nodes.find(
    (it) =>
      it.kind === 'ssh' &&
      it.name !== node.name &&
      it.hostKey !== undefined &&
      it.hostKey === node.hostKey &&
      port(it) === port(node),
  )
  return twin
    ? [
        `it has the host key of the node ${twin.name}: if that is the same machine, remove one of them`,
      ]
    : []
}

/** The entry of the cluster file after `provisioned`. */
export function nodeAfter(
  before: NodeSpec | undefined,
  options: ProvisionOptions & {readonly labels: Readonly<Record<string, string>>},
  provisioned: Provisioned,
): SshNode {
  const {wanted} = options
  const {plan, verified, hostKey} = provisioned
  const brought = plan.tree === undefined ? undefined : verified?.version
  const version = brought ?? wanted.version ?? before?.ollama.version
  const port = plan.port === 11_434 ? undefined : plan.port
  const env = Object.keys(wanted.env).length > 0 ? wanted.env : undefined
  return {
    kind: 'ssh',
    name: before?.name ?? options.name,
    ssh: options.target,
    ...(hostKey === undefined ? {} : {hostKey}),
    install: plan.install,
    labels: {...before?.labels, ...options.labels},
    drained: before?.drained ?? false,
    ollama: {
      ...(version === undefined ? {} : {version}),
      ...(port === undefined ? {} : {port}),
      ...(env === undefined ? {} : {env}),
    },
  }
}
