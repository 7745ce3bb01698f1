import {Args, Flags} from '@oclif/core'
import {BaseCommand} from '../../lib/cli/base-command.ts'
import {forceModelFlag, labelSelectorFlag, nodesFlag, progressFlag} from '../../lib/cli/flags.ts'
import type {ImportedModel} from '../../lib/jobs/import-model.ts'

export type ModelImportResult = ImportedModel

export default class ModelImport extends BaseCommand {
  static override summary = 'bring the model of a file to nodes'
  static override description =
    'The file is one that model export wrote. Every digest is checked on the nodes. Run it again after it broke off: it goes on from what came.'
  static override examples = [
    '<%= config.bin %> model import llama.tar',
    '<%= config.bin %> model import llama.tar --nodes gpu-1,gpu-2 --as llama3.2:office',
  ]
  static override args = {file: Args.string({required: true, description: 'file to read'})}
  static override flags = {
    nodes: nodesFlag('nodes that are to have it; default: all'),
    label: labelSelectorFlag(),
    as: Flags.string({summary: 'another name for it there', helpValue: 'MODEL'}),
    force: forceModelFlag(),
    progress: progressFlag(),
  }

  async run(): Promise<ModelImportResult> {
    const {args, flags} = await this.parse(ModelImport)
    const [{importModel}, {describeCopied}, {failureAmong}] = await Promise.all([
      import('../../lib/jobs/import-model.ts'),
      import('../../lib/cli/describe-models.ts'),
      import('../../lib/jobs/node-failure.ts'),
    ])
    const tools = this.tools(flags)
    const selection = {names: flags.nodes, labels: flags.label}
    const result = await this.withProgress(flags.progress, (report) =>
      importModel(tools, {file: args.file, selection, as: flags.as, force: flags.force, report}),
    )
    this.say(describeCopied(result))
    const failure = failureAmong(result.nodes, 'did not get the model')
    if (failure) throw failure
    return result
  }
}
