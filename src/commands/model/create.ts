import {Flags} from '@oclif/core'
import {BaseCommand} from '../../lib/cli/base-command.ts'
import {labelSelectorFlag, modelArg, nodesFlag, progressFlag} from '../../lib/cli/flags.ts'
import type {CreatedModel} from '../../lib/jobs/create-model.ts'

export type ModelCreateResult = CreatedModel

export default class ModelCreate extends BaseCommand {
  static override summary = 'make a model after a Modelfile'
  static override description =
    'It is made on one node, and the others get it from that one, so that all have the same. FROM names a model that this node has, or a GGUF file on this machine.'
  static override examples = [
    '<%= config.bin %> model create brief -f Modelfile',
    '<%= config.bin %> model create brief -f Modelfile --nodes gpu-1,gpu-2',
  ]
  static override args = {model: modelArg()}
  static override flags = {
    file: Flags.string({char: 'f', summary: 'the Modelfile', required: true, helpValue: 'FILE'}),
    nodes: nodesFlag('nodes that are to have it; default: all'),
    label: labelSelectorFlag(),
    progress: progressFlag(),
  }

  async run(): Promise<ModelCreateResult> {
    const {args, flags} = await this.parse(ModelCreate)
    const [{createModel}, {failureAmong}] = await Promise.all([
      import('../../lib/jobs/create-model.ts'),
      import('../../lib/jobs/node-failure.ts'),
    ])
    const tools = this.tools(flags)
    const {file} = flags
    const selection = {names: flags.nodes, labels: flags.label}
    const result = await this.withProgress(flags.progress, (report) =>
      createModel(tools, {model: args.model, file, selection, report}),
    )
    for (const {node, outcome, error} of result.nodes)
      this.say(`${node}: ${error?.message ?? outcome}`)
    const failure = failureAmong(result.nodes, 'did not get the model')
    if (failure) throw failure
    return result
  }
}
