import {Args, Flags} from '@oclif/core'
import {BaseCommand} from '../../lib/cli/base-command.ts'
import {table} from '../../lib/cli/output.ts'
import type {Aliases} from '../../lib/jobs/alias-model.ts'

export type ModelAliasResult = Aliases

export default class ModelAlias extends BaseCommand {
  static override summary = 'give a model another name for requests, or list those names'
  static override description =
    'Kept in the cluster file (`aliases`). Piped columns: alias, model. Answers name the model that answered.'
  static override examples = [
    '<%= config.bin %> model alias fast llama3.2:3b',
    '<%= config.bin %> model alias fast --off',
    '<%= config.bin %> model alias',
  ]
  static override args = {
    alias: Args.string({description: 'the other name'}),
    model: Args.string({description: 'the model that it means'}),
  }
  static override flags = {off: Flags.boolean({summary: 'take the alias away'})}

  async run(): Promise<ModelAliasResult> {
    const {args, flags} = await this.parse(ModelAlias)
    const {aliasModel} = await import('../../lib/jobs/alias-model.ts')
    const {alias, model} = args
    const result = await aliasModel(this.tools(flags), {alias, model, off: flags.off})
    const rows = Object.entries(result.aliases)
    if (rows.length > 0) this.say(await table(['ALIAS', 'MODEL'], rows))
    else this.note('No aliases.')
    return result
  }
}
