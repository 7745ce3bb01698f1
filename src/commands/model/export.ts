import {Args, Flags} from '@oclif/core'
import {BaseCommand} from '../../lib/cli/base-command.ts'
import {modelArg, progressFlag} from '../../lib/cli/flags.ts'
import type {ExportedModel} from '../../lib/jobs/export-model.ts'

export type ModelExportResult = ExportedModel

export default class ModelExport extends BaseCommand {
  static override summary = 'write a model into one file, for machines without a network'
  static override description =
    'The file is a tar archive in the layout of a store of Ollama, every digest checked. model import brings it to nodes; unpacked into ~/.ollama/models it serves an Ollama without ollamax, too.'
  static override examples = ['<%= config.bin %> model export llama3.2:3b llama.tar']
  static override args = {
    model: modelArg(),
    file: Args.string({required: true, description: 'file to write'}),
  }
  static override flags = {
    from: Flags.string({summary: 'node to take it from', helpValue: 'NODE'}),
    force: Flags.boolean({summary: 'replace the file if it is there'}),
    progress: progressFlag(),
  }

  async run(): Promise<ModelExportResult> {
    const {args, flags} = await this.parse(ModelExport)
    const [{exportModel}, {roundSize}] = await Promise.all([
      import('../../lib/jobs/export-model.ts'),
      import('../../lib/cluster/size.ts'),
    ])
    const tools = this.tools(flags)
    const {from, force} = flags
    const result = await this.withProgress(flags.progress, (report) =>
      exportModel(tools, {...args, from, force, report}),
    )
    this.say(
      `${result.file}: ${result.model} (${roundSize(result.sizeBytes)}, ${result.digest.slice(0, 12)}) from ${result.from}`,
    )
    return result
  }
}
