import {Flags} from '@oclif/core'
import {BaseCommand} from '../../lib/cli/base-command.ts'
import {nodeArg, readTimeoutFlag} from '../../lib/cli/flags.ts'
import {describeFields} from '../../lib/cli/output.ts'
import {formatAge, formatLabels} from '../../lib/cluster/format.ts'
import {type ShownNode, showNode} from '../../lib/jobs/show-node.ts'

export type NodeShowResult = ShownNode

export default class NodeShow extends BaseCommand {
  static override summary =
    'show one node: what is wanted of it, and how it was when last looked at'
  static override examples = [
    '<%= config.bin %> node show gpu-1',
    '<%= config.bin %> node show gpu-1 --live --json',
  ]
  static override args = {node: nodeArg()}
  static override flags = {
    live: Flags.boolean({summary: 'look at it now'}),
    timeout: readTimeoutFlag(),
  }

  async run(): Promise<NodeShowResult> {
    const {args, flags} = await this.parse(NodeShow)
    const tools = this.tools(flags)
    if (flags.live) {
      const [{lookAt}, {parseDuration}] = await Promise.all([
        import('../../lib/jobs/look-at.ts'),
        import('../../lib/cluster/size.ts'),
      ])
      // showNode says it when there is no such node; a name is no glob here.
      const {nodes} = await tools.cluster()
      if (nodes.some((node) => node.name === args.node))
        await lookAt(
          tools,
          {names: [args.node], labels: []},
          flags.timeout === undefined ? undefined : parseDuration(flags.timeout),
        )
    }
    const shown = await showNode(tools, args.node)
    this.say(describeFields(fieldsOf(shown)))
    return shown
  }
}

function fieldsOf({node, last}: ShownNode): Array<[string, string | undefined]> {
  const {ollama, wanted} = node
  return [
    ['name', node.name],
    [node.kind === 'ssh' ? 'ssh' : node.kind === 'direct' ? 'url' : 'kind', node.target],
    ['host key', wanted.hostKey],
    ['install', wanted.install],
    ['ca', wanted.ca],
    ['headers', wanted.headers?.join(', ')],
    ['labels', formatLabels(node.labels)],
    ['drained', node.drained ? 'yes: no new request goes there' : 'no'],
    ['wanted version', ollama.version ?? 'any'],
    ['port', ollama.port === undefined ? undefined : String(ollama.port)],
    ...Object.entries(ollama.env ?? {}).map(([k, v]): [string, string] => [`env ${k}`, v]),
    ['state', last ? last.state : 'unknown: nobody has looked yet (--live)'],
    ['seen', last ? ago(last.seenAt) : undefined],
    ['version', last?.version],
    ['models', last?.models === undefined ? undefined : String(last.models)],
    ['loaded', last?.loaded?.join(', ') || undefined],
    ['reason', last?.reason],
  ]
}

function ago(at: string): string {
  const age = formatAge(Date.now() - Date.parse(at))
  return age === 'now' ? 'just now' : `${age} ago`
}
