import {Args} from '@oclif/core'
import {BaseCommand} from '../../lib/cli/base-command.ts'
import {getSetting, type Setting} from '../../lib/jobs/config-settings.ts'

export interface ConfigGetResult extends Setting {}

export default class ConfigGet extends BaseCommand {
  static override summary = 'print one preference or setting of the cluster'
  static override examples = [
    '<%= config.bin %> config get default-model',
    '<%= config.bin %> config get nodes.gpu-1.labels.tier',
  ]
  static override args = {key: Args.string({description: 'which one', required: true})}

  async run(): Promise<ConfigGetResult> {
    const {args, flags} = await this.parse(ConfigGet)
    const result = await getSetting(this.tools(flags), args.key)
    if (result.value === null) this.note(`${args.key} is not set`)
    else
      this.say(
        typeof result.value === 'object' ? JSON.stringify(result.value) : String(result.value),
      )
    return result
  }
}
