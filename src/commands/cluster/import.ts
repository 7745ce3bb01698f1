import {Args, Flags} from '@oclif/core'
import {BaseCommand} from '../../lib/cli/base-command.ts'
import {yesFlag} from '../../lib/cli/flags.ts'
import {type ChangedCluster, importCluster} from '../../lib/jobs/change-clusters.ts'

export interface ClusterImportResult extends ChangedCluster {
  readonly nodes: number
}

export default class ClusterImport extends BaseCommand {
  static override summary = 'take over a cluster file, once it is valid'
  static override examples = [
    '<%= config.bin %> cluster import lab.yaml',
    'ssh other ollamax cluster export | <%= config.bin %> cluster import - --name other',
  ]
  static override args = {
    file: Args.string({description: 'a cluster file; `-`: from stdin', required: true}),
  }
  static override flags = {
    name: Flags.string({summary: 'its name here; default: that of the file', helpValue: 'NAME'}),
    'allow-hooks': Flags.boolean({
      summary: 'take it over although it has programs run on this machine',
    }),
    yes: yesFlag(),
  }

  async run(): Promise<ClusterImportResult> {
    const {args, flags} = await this.parse(ClusterImport)
    const result = await importCluster(this.tools(flags), {
      from: args.file,
      ...(flags.name === undefined ? {} : {name: flags.name}),
      yes: flags.yes,
      allowHooks: flags['allow-hooks'],
    })
    this.say(`imported ${result.name}, nodes: ${result.nodes}`)
    if (!result.current) this.note(`use it: ollamax cluster use ${result.name}`)
    return result
  }
}
