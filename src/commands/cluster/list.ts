import {BaseCommand} from '../../lib/cli/base-command.ts'
import {table} from '../../lib/cli/output.ts'
import {type ListedCluster, listClusters} from '../../lib/jobs/list-clusters.ts'

export interface ClusterListResult {
  readonly clusters: readonly ListedCluster[]
}

export default class ClusterList extends BaseCommand {
  static override summary = 'list the clusters; the current one is marked'
  static override examples = ['<%= config.bin %> cluster list']

  async run(): Promise<ClusterListResult> {
    const {flags} = await this.parse(ClusterList)
    const clusters = await listClusters(this.tools(flags))
    if (!this.jsonEnabled()) {
      const rows = clusters.map(({name, current, nodes, file}) => [
        name,
        current ? 'current' : '',
        nodes === null ? 'unknown' : String(nodes),
        file,
      ])
      this.say(await table(['cluster', '', 'nodes', 'file'], rows))
    }
    for (const {problem} of clusters) if (problem !== null) this.note(`warning: ${problem}`)
    return {clusters}
  }
}
