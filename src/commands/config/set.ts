import {Args, Flags} from '@oclif/core'
import {BaseCommand} from '../../lib/cli/base-command.ts'
import {OllamaxError} from '../../lib/errors.ts'
import {type Setting, setSetting} from '../../lib/jobs/config-settings.ts'

export interface ConfigSetResult extends Setting {}

export default class ConfigSet extends BaseCommand {
  static override summary = 'set one preference or setting of the cluster'
  static override description =
    `\`cluster\`, \`default-model\`, \`output\` and \`theme\` are this user's preferences.
\`policy\`, \`defaults\` and \`nodes\` are keys of the cluster file, and dots lead into them; a value is read
as YAML. docs/config.md has all of them.`
  static override examples = [
    '<%= config.bin %> config set default-model llama3.2',
    '<%= config.bin %> config set defaults.readTimeout 5s --cluster lab',
    '<%= config.bin %> config set nodes.gpu-1.labels.tier fast',
    '<%= config.bin %> config set policy --unset',
  ]
  static override args = {
    key: Args.string({description: 'which one', required: true}),
    value: Args.string({description: 'its new value'}),
  }
  static override flags = {unset: Flags.boolean({summary: 'take it away'})}

  async run(): Promise<ConfigSetResult> {
    const {args, flags} = await this.parse(ConfigSet)
    if ((args.value === undefined) !== (flags.unset === true))
      throw new OllamaxError('BAD_INPUT', 'give either a value or --unset')
    const result = await setSetting(this.tools(flags), {key: args.key, value: args.value})
    this.say(args.value === undefined ? `${args.key} is unset` : `${args.key} is ${args.value}`)
    return result
  }
}
