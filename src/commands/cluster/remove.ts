import {Args} from '@oclif/core'
import {BaseCommand} from '../../lib/cli/base-command.ts'
import {yesFlag} from '../../lib/cli/flags.ts'
import {removeCluster} from '../../lib/jobs/change-clusters.ts'

export interface ClusterRemoveResult {
  readonly name: string
  readonly file: string
}

export default class ClusterRemove extends BaseCommand {
  static override summary = 'forget a cluster; its nodes are left as they are'
  static override examples = ['<%= config.bin %> cluster remove lab --yes']
  static override args = {name: Args.string({description: 'the cluster', required: true})}
  static override flags = {yes: yesFlag()}

  async run(): Promise<ClusterRemoveResult> {
    const {args, flags} = await this.parse(ClusterRemove)
    const result = await removeCluster(this.tools(flags), {name: args.name, yes: flags.yes})
    this.say(`removed ${result.name}`)
    return result
  }
}
