import {Args} from '@oclif/core'
import {BaseCommand} from '../../lib/cli/base-command.ts'
import {type ChangedCluster, renameCluster} from '../../lib/jobs/change-clusters.ts'

export interface ClusterRenameResult extends ChangedCluster {}

export default class ClusterRename extends BaseCommand {
  static override summary = 'give a cluster another name'
  static override examples = ['<%= config.bin %> cluster rename lab office']
  static override args = {
    name: Args.string({description: 'the cluster', required: true}),
    to: Args.string({description: 'its new name', required: true}),
  }

  async run(): Promise<ClusterRenameResult> {
    const {args, flags} = await this.parse(ClusterRename)
    const result = await renameCluster(this.tools(flags), {from: args.name, to: args.to})
    this.say(`renamed ${args.name} to ${result.name}: ${result.file}`)
    return result
  }
}
