import {BaseCommand} from '../../lib/cli/base-command.ts'
import {labelSelectorFlag, modelArg, nodesFlag, progressFlag} from '../../lib/cli/flags.ts'
import type {KeptModel} from '../../lib/jobs/keep-model.ts'

export type ModelUnloadResult = KeptModel

export default class ModelUnload extends BaseCommand {
  static override summary = 'free the memory that a model takes'
  static override description =
    'Answers that are under way are finished. The model stays on disk, and the next request loads it again.'
  static override examples = [
    '<%= config.bin %> model unload llama3.2:3b',
    '<%= config.bin %> model unload llama3.2:3b --nodes gpu-1',
  ]
  static override args = {model: modelArg()}
  static override flags = {
    nodes: nodesFlag('nodes to unload it from; default: all that have it'),
    label: labelSelectorFlag(),
    progress: progressFlag(),
  }

  async run(): Promise<ModelUnloadResult> {
    const {args, flags} = await this.parse(ModelUnload)
    const [{unloadModel}, {describeKept}, {failureAmong}] = await Promise.all([
      import('../../lib/jobs/keep-model.ts'),
      import('../../lib/cli/describe-models.ts'),
      import('../../lib/jobs/node-failure.ts'),
    ])
    const {model} = args
    const selection = {names: flags.nodes, labels: flags.label}
    const tools = this.tools(flags)
    const result = await this.withProgress(flags.progress, (report) =>
      unloadModel(tools, {model, selection, report}),
    )
    this.say(describeKept(result))
    const failure = failureAmong(result.nodes, 'did not unload the model')
    if (failure) throw failure
    return result
  }
}
