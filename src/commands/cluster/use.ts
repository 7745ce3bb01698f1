import {Args} from '@oclif/core'
import {BaseCommand} from '../../lib/cli/base-command.ts'
import {type ChangedCluster, chooseCluster} from '../../lib/jobs/change-clusters.ts'

export interface ClusterUseResult extends ChangedCluster {}

export default class ClusterUse extends BaseCommand {
  static override summary = 'choose the cluster that commands work on'
  static override examples = ['<%= config.bin %> cluster use lab']
  static override args = {name: Args.string({description: 'the cluster', required: true})}

  async run(): Promise<ClusterUseResult> {
    const {args, flags} = await this.parse(ClusterUse)
    const result = await chooseCluster(this.tools(flags), args.name)
    this.say(`commands now work on ${result.name}`)
    if (!result.current) this.note('in this shell --cluster or OLLAMAX_CLUSTER names another one')
    return result
  }
}
