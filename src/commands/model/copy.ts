import {Args, Flags} from '@oclif/core'
import {BaseCommand} from '../../lib/cli/base-command.ts'
import {forceModelFlag, progressFlag} from '../../lib/cli/flags.ts'
import type {CopiedModel} from '../../lib/jobs/copy-model.ts'

export type ModelCopyResult = CopiedModel

export default class ModelCopy extends BaseCommand {
  static override summary = 'copy a model from one node to others'
  static override description =
    'File by file over SSH, from node to node where they reach each other: only what is missing there, checked by its digest, visible when whole. Run it again after it broke off: it goes on from what came.'
  static override examples = [
    '<%= config.bin %> model copy llama3.2:3b --from gpu-1 --to gpu-2,gpu-3',
  ]
  static override args = {
    model: Args.string({required: true, description: 'name of the model'}),
  }
  static override flags = {
    from: Flags.string({summary: 'node that has it', required: true, helpValue: 'NODE'}),
    to: Flags.string({
      summary: 'nodes that are to have it',
      required: true,
      multiple: true,
      multipleNonGreedy: true,
      delimiter: ',',
      helpValue: 'NODE',
    }),
    relay: Flags.boolean({
      summary: 'send the bytes through this machine, also where the nodes reach each other',
    }),
    force: forceModelFlag(),
    progress: progressFlag(),
  }

  async run(): Promise<ModelCopyResult> {
    const {args, flags} = await this.parse(ModelCopy)
    const [{copyModel}, {describeCopied}, {failureAmong}] = await Promise.all([
      import('../../lib/jobs/copy-model.ts'),
      import('../../lib/cli/describe-models.ts'),
      import('../../lib/jobs/node-failure.ts'),
    ])
    const tools = this.tools(flags)
    const result = await this.withProgress(flags.progress, (report) =>
      copyModel(tools, {
        model: args.model,
        from: flags.from,
        to: flags.to,
        relay: flags.relay,
        force: flags.force,
        report,
      }),
    )
    this.say(describeCopied(result))
    const failure = failureAmong(result.nodes, 'did not get the model')
    if (failure) throw failure
    return result
  }
}
