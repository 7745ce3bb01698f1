import {Flags} from '@oclif/core'
import {BaseCommand} from '../../lib/cli/base-command.ts'
import {table} from '../../lib/cli/output.ts'
import {listSettings, type Setting, sourceOf} from '../../lib/jobs/config-settings.ts'

export interface ConfigShowResult {
  readonly cluster: string
  readonly settings: readonly Setting[]
  /** The cluster file as it is, with --yaml. */
  readonly yaml: string | null
}

export default class ConfigShow extends BaseCommand {
  static override summary = 'show the preferences and the settings of the cluster'
  static override examples = [
    '<%= config.bin %> config show',
    '<%= config.bin %> config show --yaml',
  ]
  static override flags = {
    yaml: Flags.boolean({summary: 'print the cluster file as it is'}),
  }

  async run(): Promise<ConfigShowResult> {
    const {flags} = await this.parse(ConfigShow)
    const tools = this.tools(flags)
    const cluster = tools.clusterName()
    if (flags.yaml) {
      const yaml = sourceOf(tools).text
      if (!this.jsonEnabled()) process.stdout.write(yaml)
      return {cluster, settings: [], yaml}
    }
    const settings = await listSettings(tools)
    if (!this.jsonEnabled()) {
      const rows = settings.map(({key, value}) => [key, String(value)])
      if (rows.length > 0) this.say(await table(['setting', 'value'], rows))
      else this.note('nothing is set: everything is as by default')
    }
    return {cluster, settings, yaml: null}
  }
}
