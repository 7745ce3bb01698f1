import {Flags} from '@oclif/core'
import {BaseCommand} from '../../lib/cli/base-command.ts'
import {modelArg} from '../../lib/cli/flags.ts'
import type {ShownModel} from '../../lib/jobs/show-model.ts'

export type ModelShowResult = ShownModel

export default class ModelShow extends BaseCommand {
  static override summary = 'show one model: what it is, and where'
  static override examples = [
    '<%= config.bin %> model show llama3.2:3b',
    '<%= config.bin %> model show llama3.2:3b --node gpu-1 --json',
  ]
  static override args = {model: modelArg()}
  static override flags = {
    node: Flags.string({summary: 'node whose copy is described', helpValue: 'NODE'}),
  }

  async run(): Promise<ModelShowResult> {
    const {args, flags} = await this.parse(ModelShow)
    const [{showModel}, {describeModel}] = await Promise.all([
      import('../../lib/jobs/show-model.ts'),
      import('../../lib/cli/describe-models.ts'),
    ])
    const shown = await showModel(this.tools(flags), {model: args.model, node: flags.node})
    this.say(await describeModel(shown))
    for (const node of shown.down) this.note(`${node} did not answer: it may have it too`)
    return shown
  }
}
