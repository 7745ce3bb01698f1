import {Args, Flags} from '@oclif/core'
import {BaseCommand} from '../../lib/cli/base-command.ts'
import {progressFlag, yesFlag} from '../../lib/cli/flags.ts'
import type {RemovedNode} from '../../lib/jobs/remove-node.ts'

export interface NodeRemoveResult {
  readonly nodes: readonly RemovedNode[]
}

export default class NodeRemove extends BaseCommand {
  static override summary = 'take nodes out of the cluster, and Ollama off their machines'
  static override examples = [
    '<%= config.bin %> node remove gpu-1',
    '<%= config.bin %> node remove gpu-1 gpu-2 --uninstall --yes',
  ]
  static override strict = false
  static override args = {name: Args.string({description: 'one or several nodes', required: true})}
  static override flags = {
    uninstall: Flags.boolean({
      summary: 'also make the machine as it was before node add',
    }),
    'keep-models': Flags.boolean({
      summary: 'leave the models on the machine',
      dependsOn: ['uninstall'],
    }),
    'sudo-password-stdin': Flags.boolean({summary: 'read the password for sudo from stdin'}),
    yes: yesFlag(),
    progress: progressFlag(),
  }

  async run(): Promise<NodeRemoveResult> {
    const {argv, flags} = await this.parse(NodeRemove)
    const {removeNodes} = await import('../../lib/jobs/remove-node.ts')
    const {describeRemoved, removalFailure} = await import('../../lib/cli/describe-removed.ts')
    const {readPassword} = await import('../../lib/cli/read-password.ts')
    const sudoPassword = flags['sudo-password-stdin'] ? await readPassword() : undefined
    const tools = this.tools(flags)
    const nodes = await this.withProgress(flags.progress, (report) =>
      removeNodes(tools, {
        names: argv as string[],
        uninstall: flags.uninstall,
        keepModels: flags['keep-models'],
        yes: flags.yes,
        sudoPassword,
        report,
      }),
    )
    this.say(describeRemoved(nodes))
    const failure = removalFailure(nodes)
    if (failure) throw failure
    return {nodes}
  }
}
