import {Flags} from '@oclif/core'
import {BaseCommand} from '../../lib/cli/base-command.ts'
import {modelArg, progressFlag} from '../../lib/cli/flags.ts'
import type {PinnedModel} from '../../lib/jobs/pin-model.ts'

export type ModelPinResult = PinnedModel

export default class ModelPin extends BaseCommand {
  static override summary = 'keep a model in memory for good, where it is'
  static override description =
    'Marks it in the cluster file (`models[].pin`), so that ollamax neither unloads nor removes it, and loads it until it is unloaded by hand.'
  static override examples = [
    '<%= config.bin %> model pin llama3.2:3b',
    '<%= config.bin %> model pin llama3.2:3b --off',
  ]
  static override args = {model: modelArg()}
  static override flags = {
    off: Flags.boolean({summary: 'take the pin away; the nodes unload it when it is idle'}),
    progress: progressFlag(),
  }

  async run(): Promise<ModelPinResult> {
    const {args, flags} = await this.parse(ModelPin)
    const [{pinModel}, {describeKept}, {failureAmong}] = await Promise.all([
      import('../../lib/jobs/pin-model.ts'),
      import('../../lib/cli/describe-models.ts'),
      import('../../lib/jobs/node-failure.ts'),
    ])
    const tools = this.tools(flags)
    const result = await this.withProgress(flags.progress, (report) =>
      pinModel(tools, {model: args.model, off: flags.off, report}),
    )
    const {model, pinned, changed} = result
    this.say(`${model}: ${changed ? '' : 'was '}${pinned ? 'pinned' : 'not pinned'}`)
    if (result.nodes.length > 0) this.say(describeKept(result))
    const failure = failureAmong(result.nodes, 'did not load the model')
    if (failure) throw failure
    return result
  }
}
