import {Args} from '@oclif/core'
import {BaseCommand} from '../../lib/cli/base-command.ts'
import {type ValidConfig, validateConfig} from '../../lib/jobs/validate-config.ts'

export interface ConfigValidateResult extends ValidConfig {}

export default class ConfigValidate extends BaseCommand {
  static override summary = 'check a cluster file; every problem is listed with line and column'
  static override examples = [
    '<%= config.bin %> config validate',
    '<%= config.bin %> config validate lab.yaml',
  ]
  static override args = {
    file: Args.string({description: 'a file, or `-` for stdin; default: that of the cluster'}),
  }

  async run(): Promise<ConfigValidateResult> {
    const {args, flags} = await this.parse(ConfigValidate)
    const result = await validateConfig(this.tools(flags), args.file)
    this.say(`${result.file} is valid, nodes: ${result.nodes}`)
    return result
  }
}
