import {BaseCommand} from '../lib/cli/base-command.ts'

export interface VersionResult {
  readonly version: string
  readonly node: string
  readonly platform: string
}

export default class Version extends BaseCommand {
  static override summary = 'print the version'
  static override examples = ['<%= config.bin %> version --json']

  async run(): Promise<VersionResult> {
    await this.parse(Version)
    const result = {
      version: this.config.version,
      node: process.version,
      platform: `${process.platform}-${process.arch}`,
    }
    this.say(`ollamax/${result.version} ${result.platform} node-${result.node}`)
    return result
  }
}
