import {Args} from '@oclif/core'
import {BaseCommand} from '../../lib/cli/base-command.ts'
import {table} from '../../lib/cli/output.ts'
import type {Cluster, NodeSpec} from '../../lib/cluster/node.ts'
import {clusterPath} from '../../lib/jobs/list-clusters.ts'

export interface ClusterShowResult extends Cluster {
  readonly file: string
}

export default class ClusterShow extends BaseCommand {
  static override summary = 'show what a cluster should be, as its file says'
  static override description =
    'Shows the wanted state; what the nodes are doing now: ollamax status.'
  static override examples = [
    '<%= config.bin %> cluster show',
    '<%= config.bin %> cluster show lab',
  ]
  static override args = {name: Args.string({description: 'the cluster; default: the current one'})}

  async run(): Promise<ClusterShowResult> {
    const {args, flags} = await this.parse(ClusterShow)
    const tools = this.tools({cluster: args.name ?? flags.cluster})
    const cluster = await tools.cluster()
    const file = clusterPath(tools)
    if (!this.jsonEnabled()) {
      const rows = cluster.nodes.map((node) => [
        node.name,
        addressOf(node),
        Object.entries(node.labels)
          .map(([key, value]) => `${key}=${value}`)
          .join(','),
        node.drained ? 'drained' : '',
      ])
      const {policy = 'default'} = cluster
      this.note(`cluster ${cluster.name}, policy ${policy}, ${file}`)
      if (rows.length > 0) this.say(await table(['node', 'address', 'labels', ''], rows))
      else this.note('it has no nodes; add one: ollamax node add user@host')
    }
    return {...cluster, file}
  }
}

function addressOf(node: NodeSpec): string {
  if (node.kind === 'ssh') return `ssh ${node.ssh}`
  return node.kind === 'direct' ? node.url : 'embedded'
}
