import {Args, Flags} from '@oclif/core'
import {BaseCommand} from '../../lib/cli/base-command.ts'
import {yesFlag} from '../../lib/cli/flags.ts'
import {exportCluster} from '../../lib/jobs/list-clusters.ts'

export interface ClusterExportResult {
  readonly name: string
  /** The whole file, comments included. */
  readonly yaml: string
  /** Where it was written; null: to stdout. */
  readonly output: string | null
}

export default class ClusterExport extends BaseCommand {
  static override summary = 'print the file of a cluster, comments included'
  static override examples = ['<%= config.bin %> cluster export lab --output lab.yaml']
  static override args = {name: Args.string({description: 'the cluster; default: the current one'})}
  static override flags = {
    output: Flags.string({char: 'o', summary: 'write it to a file', helpValue: 'FILE'}),
    yes: yesFlag(),
  }

  async run(): Promise<ClusterExportResult> {
    const {args, flags} = await this.parse(ClusterExport)
    const tools = this.tools({cluster: args.name ?? flags.cluster})
    const output = flags.output ?? null
    const result = await exportCluster(tools, {output, yes: flags.yes})
    if (output !== null) this.say(`wrote ${output}`)
    else if (!this.jsonEnabled()) process.stdout.write(result.yaml)
    return {...result, output}
  }
}
