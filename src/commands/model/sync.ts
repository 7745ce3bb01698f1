import {Args, Flags} from '@oclif/core'
import {BaseCommand} from '../../lib/cli/base-command.ts'
import {progressFlag, yesFlag} from '../../lib/cli/flags.ts'
import type {SyncedModels} from '../../lib/jobs/sync-models.ts'

export type ModelSyncResult = SyncedModels

export default class ModelSync extends BaseCommand {
  static override summary = 'make a name mean the same content on all nodes that have it'
  static override description =
    'What most nodes have is right, and of equals what was changed last, unless --from names the node that is. Only what is missing is sent.'
  static override examples = [
    '<%= config.bin %> model sync',
    '<%= config.bin %> model sync llama3.2:3b --from gpu-1 --yes',
  ]
  static override args = {
    model: Args.string({description: 'name of the model (default: all that differ)'}),
  }
  static override flags = {
    from: Flags.string({summary: 'node whose content is right', helpValue: 'NODE'}),
    yes: yesFlag(),
    progress: progressFlag(),
  }

  async run(): Promise<ModelSyncResult> {
    const {args, flags} = await this.parse(ModelSync)
    const [{syncModels}, {describeCopied}, {failureAmong}] = await Promise.all([
      import('../../lib/jobs/sync-models.ts'),
      import('../../lib/cli/describe-models.ts'),
      import('../../lib/jobs/node-failure.ts'),
    ])
    const tools = this.tools(flags)
    const {from, yes} = flags
    const result = await this.withProgress(flags.progress, (report) =>
      syncModels(tools, {model: args.model, from, yes, report}),
    )
    if (result.models.length === 0) this.note('Nothing differs.')
    for (const model of result.models) this.say(describeCopied(model))
    const rows = result.models.flatMap(({nodes}) => nodes)
    const failure = failureAmong(rows, 'could not be mended')
    if (failure) throw failure
    return result
  }
}
