import {checkNodeName} from '../cluster/names.ts'
import type {NodeSpec, SecretRef} from '../cluster/node.ts'
import type {Reading} from '../cluster/reading.ts'
import type {Reporter} from '../cluster/report.ts'
import {messageOf, OllamaxError} from '../errors.ts'
import {readNode} from '../ollama/read-node.ts'
import {type Artifact, inspectArtifact} from '../provision/artifact.ts'
import {keepReadings} from '../state/readings.ts'
import {addDirect} from './add-direct.ts'
import {type AddTarget, findNode, freeName, parseTarget} from './add-target.ts'
import {type AddedNode, describeRow, type Found} from './added-node.ts'
import {eachOf} from './each-of.ts'
import {interruptedAfter} from './interrupted.ts'
import {nodeAfter, type ProvisionOptions, provisionHost, twinWarning} from './provision-host.ts'
import {type SudoPassword, sudoPasswordOf} from './sudo-password.ts'
import type {Tools} from './tools.ts'

export interface AddNodeOptions {
  readonly targets: readonly string[]
  /** For a single target. */
  readonly name?: string | undefined
  readonly labels: Readonly<Record<string, string>>
  readonly version?: string | undefined
  /** Path of an archive to carry over. */
  readonly artifact?: string | undefined
  readonly artifactSha256?: string | undefined
  readonly env: Readonly<Record<string, string>>
  readonly port?: number | undefined
  readonly install: boolean
  readonly userMode: boolean
  readonly acceptHostKey?: boolean | string | undefined
  readonly headers: Readonly<Record<string, string | SecretRef>>
  readonly ca?: string | undefined
  readonly sudoPassword?: string | undefined
  readonly dryRun: boolean
  /** Do not ask before the service of someone else is changed. */
  readonly yes: boolean
  /** How many hosts at once. */
  readonly concurrency: number
  readonly report: Reporter
}

export interface AddedNodes {
  readonly cluster: string
  readonly dryRun: boolean
  readonly nodes: readonly AddedNode[]
}

type AddTools = Pick<
  Tools,
  | 'cluster'
  | 'editCluster'
  | 'clusterName'
  | 'dial'
  | 'endpoint'
  | 'ask'
  | 'signal'
  | 'env'
  | 'paths'
>

interface Entry {
  readonly target: AddTarget
  readonly name: string
  readonly before: NodeSpec | undefined
}

/**
 * Makes each target a node of the cluster, several at once. One that fails is a row with its error and
 * stops no other. Throws BAD_INPUT, NODE_EXISTS, ARTIFACT_BAD before anything is touched, and the error of an only target.
 */
export async function addNodes(tools: AddTools, options: AddNodeOptions): Promise<AddedNodes> {
  const entries = nameAll((await tools.cluster()).nodes, options)
  const {artifact: path, artifactSha256: sha256} = options
  const {signal} = tools
  const {report} = options
  const artifact = path === undefined ? undefined : await inspectArtifact(path, {sha256, signal})
  const shared = {
    artifact,
    downloads: new Map(),
    sudoPassword: sudoPasswordOf(tools, options.sudoPassword),
  }
  const done: string[] = []
  const names = entries.map((entry) => entry.name)
  const nodes = await eachOf(entries, options.concurrency, async (entry) => {
    const startMs = Date.now()
    const row = await addHooked(tools, entry, {options, shared}).catch((error: unknown) => {
      if (signal.aborted) throw interruptedAfter(signal, done, names)
      if (entries.length === 1) throw error
      return failedRow(entry, error)
    })
    done.push(row.name)
    report({kind: 'end', subject: row.name, ok: row.outcome !== 'failed', text: describeRow(row)})
    return {...row, ms: Date.now() - startMs}
  })
  return {cluster: tools.clusterName(), dryRun: options.dryRun, nodes}
}

/** With the hooks that the cluster file names for it, where something is done. */
async function addHooked(
  tools: AddTools,
  entry: Entry,
  all: {options: AddNodeOptions; shared: Shared},
): Promise<Row> {
  const cluster = await tools.cluster()
  const {dryRun, report, version} = all.options
  if (dryRun || !cluster.hooks) return addOne(tools, entry, all)
  const {runHook} = await import('./run-hook.ts')
  const moment = {node: entry.name, target: entry.target.target, report}
  await runHook(tools, cluster, {...moment, name: 'before-add', version})
  const row = await addOne(tools, entry, all)
  const after = {...moment, node: row.name, version: row.version}
  await runHook(tools, cluster, {...after, name: 'after-add'})
  return row
}

/** Longest wait for the last look at a node that has just answered. */
const LOOK_MS = 10_000

interface Shared {
  readonly artifact: Artifact | undefined
  readonly downloads: Map<string, Promise<Artifact>>
  readonly sudoPassword: SudoPassword
}

type Row = Omit<AddedNode, 'ms'>

async function addOne(
  tools: AddTools,
  entry: Entry,
  {options, shared}: {options: AddNodeOptions; shared: Shared},
): Promise<Row> {
  const {target, before, name} = entry
  if (target.kind !== 'ssh')
    return record(tools, entry, await addDirect(tools, {...options, ...entry, target}))
  const known = before?.kind === 'ssh' ? before : undefined
  const recorded = known?.ollama
  const host: ProvisionOptions = {
    ...shared,
    name,
    target: target.target,
    known,
    acceptHostKey: options.acceptHostKey,
    dryRun: options.dryRun,
    yes: options.yes,
    report: options.report,
    wanted: {
      install: options.install && (known?.install !== 'external' || asksForMore(options)),
      userMode: options.userMode || known?.install === 'user',
      // An archive that is given now counts more than what an earlier run was given.
      version: options.version ?? (shared.artifact ? undefined : recorded?.version),
      port: options.port ?? recorded?.port,
      env: {...recorded?.env, ...options.env},
    },
  }
  const done = await provisionHost(tools, host)
  const {verified, plan, facts} = done
  const node = nodeAfter(before, {...host, labels: options.labels}, done)
  const {nodes} = await tools.cluster()
  const warnings = known ? done.warnings : [...done.warnings, ...twinWarning(nodes, node)]
  for (const text of warnings) options.report({kind: 'warn', subject: name, text})
  const version = verified?.version ?? facts.ollama.answers
  return record(tools, entry, {
    dryRun: options.dryRun,
    node,
    ...(options.dryRun ? {} : {reading: await look(tools, node)}),
    row: {
      steps: plan.actions.map(({title, root}) => ({title, root})),
      warnings,
      install: plan.install,
      ...(version === undefined ? {} : {version}),
      ...(verified?.inference ? {inference: verified.inference} : {}),
    },
  })
}

const asksForMore = (options: AddNodeOptions) =>
  options.version !== undefined ||
  options.artifact !== undefined ||
  Object.keys(options.env).length > 0

/** Through the connection that stands. What was verified is not a reading: it has no list of models. */
async function look(tools: AddTools, node: NodeSpec): Promise<Reading> {
  const {signal} = tools
  return readNode(await tools.endpoint(node), node.name, {signal, timeoutMs: LOOK_MS})
}

/** Writes down what is wanted, and how it was seen. */
async function record(tools: AddTools, entry: Entry, found: Found): Promise<Row> {
  const row = await recordWanted(tools, entry, found)
  const {reading, dryRun} = found
  if (reading && !dryRun)
    keepReadings(tools.paths, tools.clusterName(), [{...reading, node: row.name}])
  return row
}

async function recordWanted(tools: AddTools, entry: Entry, found: Found): Promise<Row> {
  const {target, before} = entry
  const {node, row, dryRun} = found
  const changed = before === undefined || !sameNode(before, node)
  const common = {...row, target: target.target, kind: target.kind}
  if (dryRun) {
    const outcome = row.steps.length > 0 || changed ? 'planned' : 'unchanged'
    return {...common, name: node.name, outcome}
  }
  if (!changed) {
    return {...common, name: node.name, outcome: row.steps.length > 0 ? 'changed' : 'unchanged'}
  }
  const name = await tools.editCluster((edit) => {
    // Others may have written meanwhile: what counts is what the file says now.
    const there = findNode(edit.cluster.nodes, target)
    if (there) {
      edit.replaceNode(there.name, {...node, name: there.name})
      return there.name
    }
    const taken = new Set(edit.cluster.nodes.map((it) => it.name))
    const free = entry.name === target.base ? freeName(node.name, taken) : node.name
    edit.addNode({...node, name: free})
    return free
  })
  return {...common, name, outcome: before ? 'changed' : 'added'}
}

/** Each target with its name; refuses what could not be recorded, before any host is touched. */
function nameAll(nodes: readonly NodeSpec[], options: AddNodeOptions): Entry[] {
  const words = [...new Set(options.targets)]
  if (words.length === 0)
    throw new OllamaxError('BAD_INPUT', 'no target was given', {
      suggestions: [
        'for example: ollamax node add user@host',
        'or name a file with one target a line: --file FILE',
      ],
    })
  if (options.name !== undefined && words.length > 1)
    throw new OllamaxError('BAD_INPUT', `--name is for one target, and ${words.length} were given`)
  if (options.name !== undefined) checkNodeName(options.name)
  const taken = new Set(nodes.map((node) => node.name))
  return words.map(parseTarget).map((target) => {
    const before = findNode(nodes, target)
    if (before) return {target, before, name: known(before, options.name)}
    if (options.name !== undefined && taken.has(options.name))
      throw new OllamaxError('NODE_EXISTS', `there is a node "${options.name}" already`, {
        suggestions: ['Give another name by --name', `See it: ollamax node show ${options.name}`],
      })
    const name = options.name ?? freeName(target.base, taken)
    taken.add(name)
    return {target, before, name}
  })
}

function known(before: NodeSpec, name: string | undefined): string {
  if (name === undefined || name === before.name) return before.name
  throw new OllamaxError('NODE_EXISTS', `that machine is the node "${before.name}" already`, {
    suggestions: [`Rename it: ollamax node rename ${before.name} ${name}`],
  })
}

function sameNode(a: NodeSpec, b: NodeSpec): boolean {
  return JSON.stringify(sorted(a)) === JSON.stringify(sorted(b))
}

/** Equal objects become equal texts, whatever the order of their keys. */
function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([, it]) => it !== undefined)
  return entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, it]) => [key, sorted(it)])
}

function failedRow({target, name}: Entry, error: unknown): Row {
  const ours = OllamaxError.is(error) ? error : undefined
  return {
    target: target.target,
    name,
    kind: target.kind,
    outcome: 'failed',
    steps: [],
    warnings: [],
    error: {
      code: ours?.code ?? 'BUG',
      message: messageOf(error),
      suggestions: ours?.suggestions ?? [],
    },
  }
}
