import {BaseCommand} from '../../lib/cli/base-command.ts'
import {type EditedConfig, editConfig} from '../../lib/jobs/edit-config.ts'

export interface ConfigEditResult extends EditedConfig {}

export default class ConfigEdit extends BaseCommand {
  static override summary = 'open the cluster file in your editor'
  static override description =
    'Edits a copy with $VISUAL or $EDITOR, and puts it in place only when it is valid.'
  static override examples = [
    '<%= config.bin %> config edit',
    'EDITOR=nano <%= config.bin %> config edit',
  ]

  async run(): Promise<ConfigEditResult> {
    const {flags} = await this.parse(ConfigEdit)
    const result = await editConfig(this.tools(flags), (problem) => this.note(problem))
    this.say(result.changed ? `wrote ${result.file}` : 'nothing was changed')
    return result
  }
}
