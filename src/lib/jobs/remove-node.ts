import type {NodeSpec, SshNode} from '../cluster/node.ts'
import type {Reporter} from '../cluster/report.ts'
import {selectNodes} from '../cluster/select.ts'
import {messageOf, OllamaxError} from '../errors.ts'
import {apply} from '../provision/apply.ts'
import {planRemoval} from '../provision/plan-removal.ts'
import {awaitVersion, probe} from '../provision/probe.ts'
import type {Remote} from '../ssh/remote.ts'
import {confirmed} from './confirm.ts'
import {dropHeld} from './control-holder.ts'
import {eachOf} from './each-of.ts'
import {interruptedAfter} from './interrupted.ts'
import {rootOn} from './root-on.ts'
import {type SudoPassword, sudoPasswordOf} from './sudo-password.ts'
import type {Tools} from './tools.ts'

export interface RemoveNodeOptions {
  readonly names: readonly string[]
  /** Also take away from the hosts what `node add` put there. */
  readonly uninstall: boolean
  readonly keepModels: boolean
  readonly yes: boolean
  readonly sudoPassword?: string | undefined
  readonly report: Reporter
}

/** What became of a node. */
export interface RemovedNode {
  readonly name: string
  /** False: it is still in the cluster, see `error`. */
  readonly removed: boolean
  /** `nothing-there`: the host had nothing of ours. */
  readonly uninstall: 'not-asked' | 'done' | 'nothing-there' | 'failed'
  readonly steps: readonly string[]
  /** What stays on the host, and why. */
  readonly left: readonly string[]
  /** Version of the Ollama that was there before us and answers again. */
  readonly restored?: string
  readonly error?: {
    readonly code: string
    readonly message: string
    readonly suggestions: readonly string[]
  }
}

type RemoveTools = Pick<
  Tools,
  'cluster' | 'clusterName' | 'editCluster' | 'dial' | 'ask' | 'signal' | 'env' | 'paths'
>

/**
 * Takes nodes out of the cluster; with `uninstall` their hosts become as they were before. A host that
 * cannot be cleaned stays in the cluster. Asks first: CONFIRM_NEEDED, NOT_CONFIRMED; NODE_NOT_FOUND.
 */
export async function removeNodes(
  tools: RemoveTools,
  options: RemoveNodeOptions,
): Promise<RemovedNode[]> {
  if (options.names.length === 0)
    throw new OllamaxError('BAD_INPUT', 'no node is named', {
      suggestions: ['see them all: ollamax node list'],
    })
  const {nodes} = await tools.cluster()
  const chosen = selectNodes(nodes, {names: options.names, labels: []})
  await confirmed(tools, options.yes, question(chosen, options))
  const sudoPassword = sudoPasswordOf(tools, options.sudoPassword)
  const done: string[] = []
  const names = chosen.map((node) => node.name)
  return eachOf(chosen, 10, async (node) => {
    const {report} = options
    try {
      const row = await removeOne(tools, node, {options, sudoPassword})
      if (options.uninstall) report({kind: 'end', subject: node.name, ok: true, text: 'removed'})
      done.push(node.name)
      return row
    } catch (error) {
      if (tools.signal.aborted) throw interruptedAfter(tools.signal, done, names)
      report({
        kind: 'end',
        subject: node.name,
        ok: false,
        text: messageOf(error).split('\n')[0] ?? '',
      })
      if (chosen.length === 1) throw error
      return failedRow(node, error)
    }
  })
}

function question(nodes: readonly NodeSpec[], options: RemoveNodeOptions): string {
  const names = nodes.map((node) => node.name).join(', ')
  if (!options.uninstall) return `Remove ${names} from the cluster? Ollama goes on running there.`
  const models = options.keepModels ? 'its models stay' : 'with the models that were pulled since'
  return `Remove ${names} from the cluster and uninstall Ollama there, ${models}?`
}

async function removeOne(
  tools: RemoveTools,
  node: NodeSpec,
  {options, sudoPassword}: {options: RemoveNodeOptions; sudoPassword: SudoPassword},
): Promise<RemovedNode> {
  const cleaned =
    options.uninstall && node.kind === 'ssh'
      ? await uninstall(tools, node, {options, sudoPassword})
      : undefined
  await tools.editCluster((edit) => {
    // Someone may have removed it meanwhile, which is as well.
    if (edit.cluster.nodes.some((it) => it.name === node.name)) edit.removeNode(node.name)
  })
  if (node.kind === 'ssh') await dropHeld(tools, node.name)
  return {
    name: node.name,
    removed: true,
    uninstall: options.uninstall ? 'nothing-there' : 'not-asked',
    steps: [],
    left: [],
    ...cleaned,
  }
}

async function uninstall(
  tools: RemoveTools,
  node: SshNode,
  {options, sudoPassword}: {options: RemoveNodeOptions; sudoPassword: SudoPassword},
): Promise<Partial<RemovedNode>> {
  const {report} = options
  const {signal} = tools
  const subject = node.name
  report({kind: 'start', subject, step: 'look at the host'})
  const remote = await tools.dial(node).catch((error: unknown) => {
    throw OllamaxError.is(error) ? stillThere(node, error) : error
  })
  const facts = await probe(remote, {port: node.ollama.port, signal})
  const {actions, left, restores} = planRemoval(facts, options)
  if (actions.length === 0) {
    const version = facts.ollama.answers
    return {
      uninstall: 'nothing-there',
      left: version === undefined ? [] : [`Ollama ${version}: ollamax did not install it`],
    }
  }
  const needsRoot = actions.some((action) => action.root)
  const root = needsRoot ? await rootOn(remote, facts, {name: subject, sudoPassword}) : undefined
  await apply(remote, actions, {root, subject, report, signal})
  const restored = restores ? await comesBack(remote, signal) : undefined
  return {
    uninstall: 'done',
    steps: actions.map((action) => action.title),
    left,
    ...(restored === undefined ? {} : {restored}),
  }
}

/** The version that the service of someone else answers with, once it is up again on its own port. */
async function comesBack(remote: Remote, signal: AbortSignal): Promise<string | undefined> {
  const {port, ollama} = await probe(remote, {signal})
  return ollama.answers ?? awaitVersion(remote, {port, signal, timeoutMs: 10_000})
}

function stillThere(node: SshNode, error: OllamaxError): OllamaxError {
  return new OllamaxError(error.code, error.message, {
    suggestions: [
      ...error.suggestions,
      `Only forget it, and leave the machine as it is: ollamax node remove ${node.name} --yes`,
    ],
    cause: error,
  })
}

function failedRow(node: NodeSpec, error: unknown): RemovedNode {
  const ours = OllamaxError.is(error) ? error : undefined
  return {
    name: node.name,
    removed: false,
    uninstall: 'failed',
    steps: [],
    left: [],
    error: {
      code: ours?.code ?? 'BUG',
      message: messageOf(error),
      suggestions: ours?.suggestions ?? [],
    },
  }
}
