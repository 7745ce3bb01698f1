import {Flags} from '@oclif/core'
import {BaseCommand} from '../../lib/cli/base-command.ts'
import {labelSelectorFlag, nodesArg, readTimeoutFlag} from '../../lib/cli/flags.ts'
import {type Cell, forPeople, table} from '../../lib/cli/output.ts'
import {formatAge, formatLabels} from '../../lib/cluster/format.ts'
import {type ListedNode, listNodes} from '../../lib/jobs/list-nodes.ts'

export interface NodeListResult {
  readonly cluster: string
  readonly nodes: readonly ListedNode[]
}

export default class NodeList extends BaseCommand {
  static override summary = 'list the nodes, and how they were when last looked at'
  static override description =
    'Asks no node anything unless --live is given. Piped columns: name, target, state, version, models, loaded, labels, seen (ISO time); `-` is unknown.'
  static override examples = [
    '<%= config.bin %> node list',
    '<%= config.bin %> node list --live',
    '<%= config.bin %> node list "gpu-*" --label tier=fast --json',
  ]
  static override args = {nodes: nodesArg()}
  static override flags = {
    label: labelSelectorFlag(),
    live: Flags.boolean({summary: 'look at each node now'}),
    timeout: readTimeoutFlag(),
  }

  async run(): Promise<NodeListResult> {
    const {args, flags} = await this.parse(NodeList)
    const tools = this.tools(flags)
    const selection = {names: args.nodes ?? [], labels: flags.label}
    if (flags.live) {
      const [{lookAt}, {parseDuration}] = await Promise.all([
        import('../../lib/jobs/look-at.ts'),
        import('../../lib/cluster/size.ts'),
      ])
      await lookAt(
        tools,
        selection,
        flags.timeout === undefined ? undefined : parseDuration(flags.timeout),
      )
    }
    const result = await listNodes(tools, selection)
    if (result.nodes.length === 0)
      this.note('No nodes yet. Add one: ollamax node add user@host (or try: ollamax quickstart)')
    else if (!this.jsonEnabled()) this.say(await table(COLUMNS, result.nodes.map(row)))
    return result
  }
}

const COLUMNS = ['NAME', 'TARGET', 'STATE', 'VERSION', 'MODELS', 'LOADED', 'LABELS', 'SEEN']

function row(node: ListedNode): Cell[] {
  const tone = node.state === 'up' ? 'good' : node.state === 'down' ? 'bad' : 'dim'
  const state = node.drained ? `${node.state},drained` : node.state
  return [
    node.name,
    node.target,
    {text: state, tone: node.drained ? 'warn' : tone},
    node.version ?? '-',
    node.models === undefined ? '-' : String(node.models),
    node.loaded?.join(',') || '-',
    formatLabels(node.labels),
    seen(node.seenAt),
  ]
}

/** For people how long ago; for programs when, since they may look later. */
function seen(at: string | undefined): string {
  if (at === undefined) return forPeople() ? 'never' : '-'
  return forPeople() ? formatAge(Date.now() - Date.parse(at)) : at
}
