import {Args, Flags} from '@oclif/core'
import {BaseCommand} from '../../lib/cli/base-command.ts'
import {type ChangedCluster, createCluster} from '../../lib/jobs/change-clusters.ts'

export interface ClusterCreateResult extends ChangedCluster {}

export default class ClusterCreate extends BaseCommand {
  static override summary = 'create an empty cluster'
  static override examples = ['<%= config.bin %> cluster create lab --use']
  static override args = {name: Args.string({description: 'its name', required: true})}
  static override flags = {use: Flags.boolean({summary: 'make it the current cluster'})}

  async run(): Promise<ClusterCreateResult> {
    const {args, flags} = await this.parse(ClusterCreate)
    const result = await createCluster(this.tools(flags), {name: args.name, use: flags.use})
    this.say(`created ${result.name}: ${result.file}`)
    if (!result.current) this.note(`use it: ollamax cluster use ${result.name}`)
    return result
  }
}
