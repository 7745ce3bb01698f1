import {Flags} from '@oclif/core'
import {BaseCommand} from '../../lib/cli/base-command.ts'
import {labelSelectorFlag, modelArg, nodesFlag, progressFlag} from '../../lib/cli/flags.ts'
import type {KeptModel} from '../../lib/jobs/keep-model.ts'

export type ModelWarmResult = KeptModel

export default class ModelWarm extends BaseCommand {
  static override summary = 'load a model into memory, so that the next answer begins at once'
  static override examples = [
    '<%= config.bin %> model warm llama3.2:3b',
    '<%= config.bin %> model warm llama3.2:3b --nodes gpu-1 --keep-alive 2h',
  ]
  static override args = {model: modelArg()}
  static override flags = {
    nodes: nodesFlag('nodes to load it on; default: all that have it'),
    label: labelSelectorFlag(),
    'keep-alive': Flags.string({
      summary: 'how long it stays after its last use, like 30m; -1: until it is unloaded',
      helpValue: '30m',
    }),
    force: Flags.boolean({summary: 'also where memory looks too small'}),
    progress: progressFlag(),
  }

  async run(): Promise<ModelWarmResult> {
    const {args, flags} = await this.parse(ModelWarm)
    const [{warmModel}, {describeKept, readKeepAlive}, {failureAmong}] = await Promise.all([
      import('../../lib/jobs/keep-model.ts'),
      import('../../lib/cli/describe-models.ts'),
      import('../../lib/jobs/node-failure.ts'),
    ])
    const tools = this.tools(flags)
    const keepAlive = readKeepAlive(flags['keep-alive'])
    const result = await this.withProgress(flags.progress, (report) =>
      warmModel(tools, {
        model: args.model,
        selection: {names: flags.nodes, labels: flags.label},
        ...(keepAlive === undefined ? {} : {keepAlive}),
        force: flags.force,
        report,
      }),
    )
    this.say(describeKept(result))
    const failure = failureAmong(result.nodes, 'did not load the model')
    if (failure) throw failure
    return result
  }
}
