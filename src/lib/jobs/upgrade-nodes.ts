import {modelKey} from '../cluster/model-name.ts'
import type {Cluster, NodeSpec, SshNode} from '../cluster/node.ts'
import {type Selection, selectNodes} from '../cluster/select.ts'
import {effectiveOllama} from '../desired/effective.ts'
import {onlyThere, onlyThereText} from '../desired/only-there.ts'
import {OllamaxError} from '../errors.ts'
import {confirmed} from './confirm.ts'
import {latestVersion} from './find-source.ts'
import {observe} from './observe.ts'
import {notOurs} from './roll/roll-one.ts'
import type {RolledNode} from './roll/rolled-node.ts'
import {wavesOf} from './roll/waves.ts'
import {type RollOptions, type RollTarget, rollNodes} from './roll-nodes.ts'
import {overSsh} from './ssh-node.ts'
import type {Tools} from './tools.ts'
import {withDeployLock} from './with-deploy-lock.ts'

export interface UpgradeOptions extends Omit<RollOptions, 'targets' | 'recordVersion' | 'reason'> {
  readonly selection: Selection
  /** `previous`: back to what was there before; else the version to have; absent: the archive's, or the latest. */
  readonly to:
    | {readonly kind: 'version'; readonly version?: string | undefined}
    | {readonly kind: 'previous'}
  readonly yes: boolean
}

export interface UpgradedNodes {
  readonly cluster: string
  /** In the order in which they were changed. */
  readonly nodes: readonly RolledNode[]
}

type UpgradeTools = Pick<
  Tools,
  | 'cluster'
  | 'clusterName'
  | 'editCluster'
  | 'dial'
  | 'endpoint'
  | 'ask'
  | 'signal'
  | 'env'
  | 'paths'
>

/**
 * Gives nodes another version of Ollama, one wave after the other and under the deploy lock, see `rollNodes`. Asks
 * first: CONFIRM_NEEDED, NOT_CONFIRMED. LOCKED, NODE_NOT_FOUND, BAD_INPUT (a node that is not ours), DOWNLOAD_FAILED.
 */
export async function upgradeNodes(
  tools: UpgradeTools,
  options: UpgradeOptions,
): Promise<UpgradedNodes> {
  const {to, artifact} = options
  const cluster = await tools.cluster()
  const nodes = chosen(cluster.nodes, options)
  const names = nodes.map((node) => node.name)
  const canary = nodes.find(({name}) => name === options.canary)
  if (options.canary !== undefined && !names.includes(options.canary))
    throw new OllamaxError('BAD_INPUT', `the canary ${options.canary} is not among these nodes`, {
      suggestions: [`name one of ${names.join(', ')}`],
    })
  const version = await versionOf(tools, to, artifact)
  const what = to.kind === 'previous' ? 'the version before' : (version ?? 'what the archive holds')
  const reason = `${to.kind === 'previous' ? 'roll back' : 'upgrade'} ${names.join(', ')} to ${what}`
  await warnOfLost(tools, {cluster, waves: wavesOf(nodes, canary, options.waves), options})
  const how = 'Wave by wave, each node drained meanwhile.'
  await confirmed(tools, options.yes, `${reason[0]?.toUpperCase()}${reason.slice(1)}? ${how}`)
  const targets: RollTarget[] = nodes.map((node) => {
    const {env = {}, version: recorded} = effectiveOllama(cluster, node)
    return to.kind === 'previous'
      ? {node, env, recorded, tree: 'previous'}
      : {node, env, recorded, version}
  })
  const rolled = await withDeployLock(tools, {reason}, () =>
    rollNodes(tools, {...options, targets, reason, recordVersion: true}),
  )
  return {cluster: tools.clusterName(), nodes: rolled}
}

/** For a look at what nodes have, which delays a question. */
const LOOK_MS = 5000

/** Says of each wave which models nobody will answer for meanwhile. */
async function warnOfLost(
  tools: UpgradeTools,
  about: {
    readonly cluster: Cluster
    readonly waves: readonly (readonly NodeSpec[])[]
    readonly options: Pick<UpgradeOptions, 'report'>
  },
): Promise<void> {
  const {cluster, waves, options} = about
  const {nodes, models = [], aliases = {}} = cluster
  const readings = await observe(tools, nodes, {timeoutMs: LOOK_MS})
  const fleet = readings.flatMap((reading, at) =>
    reading.kind === 'up'
      ? [{...reading, name: reading.node, serves: nodes[at]?.drained === false}]
      : [],
  )
  const named = [...models.map(({name}) => name), ...Object.values(aliases)]
  const wanted = new Set(named.map(modelKey))
  for (const wave of waves) {
    const names = wave.map(({name}) => name)
    const text = onlyThereText(names, onlyThere(names, fleet, wanted))
    if (text !== undefined) options.report({kind: 'warn', subject: names.join(', '), text})
  }
}

async function versionOf(
  tools: UpgradeTools,
  to: UpgradeOptions['to'],
  artifact: string | undefined,
): Promise<string | undefined> {
  if (to.kind === 'previous' || to.version !== undefined || artifact !== undefined)
    return to.kind === 'version' ? to.version : undefined
  return latestVersion(tools)
}

/** What cannot be changed is refused where it was named, and left out where it was only among all. */
function chosen(
  all: readonly NodeSpec[],
  {selection, report}: Pick<UpgradeOptions, 'selection' | 'report'>,
): SshNode[] {
  const nodes = selectNodes(all, selection).flatMap((node) => {
    const named = selection.names.includes(node.name)
    if (node.kind === 'ssh' && node.install !== 'external') return [node]
    if (named) throw notOurs(overSsh(node, 'change the Ollama there').name)
    const text = 'left out: its Ollama is not ours to change'
    report({kind: 'note', subject: node.name, text})
    return []
  })
  if (nodes.length > 0) return nodes
  throw new OllamaxError(
    'NODE_NOT_FOUND',
    'none of these nodes has an Ollama that ollamax installed',
    {
      suggestions: [
        'see them: ollamax node list',
        'let it install one: ollamax node add user@host',
      ],
    },
  )
}
