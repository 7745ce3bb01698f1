import {BaseCommand} from '../../lib/cli/base-command.ts'
import {table} from '../../lib/cli/output.ts'
import {type ConfigPaths, listPaths} from '../../lib/jobs/list-clusters.ts'

export interface ConfigPathResult extends ConfigPaths {}

export default class ConfigPath extends BaseCommand {
  static override summary = 'print where the files of ollamax lie'
  static override examples = ['<%= config.bin %> config path']

  async run(): Promise<ConfigPathResult> {
    const {flags} = await this.parse(ConfigPath)
    const paths = listPaths(this.tools(flags))
    if (!this.jsonEnabled()) this.say(await table(['what', 'path'], Object.entries(paths)))
    return paths
  }
}
