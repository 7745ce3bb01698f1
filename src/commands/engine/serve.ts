import {Flags} from '@oclif/core'
import {BaseCommand} from '../../lib/cli/base-command.ts'

export interface EngineServeResult {
  readonly stopped: true
}

/** The engine process itself; `engine start` runs it in the background. */
export default class EngineServe extends BaseCommand {
  static override hidden = true
  static override summary = 'be the engine process of the embedded node'
  static override examples = ['<%= config.bin %> engine serve --instance 0123456789abcdef --port 0']
  static override flags = {
    instance: Flags.string({required: true, summary: 'mark that tells this process from others'}),
    port: Flags.integer({default: 0, min: 0, max: 65_535, summary: 'loopback port; 0: any'}),
  }

  async run(): Promise<EngineServeResult> {
    const {flags} = await this.parse(EngineServe)
    const {runEngine} = await import('../../lib/engine/serve/run-engine.ts')
    const {paths} = this.tools()
    await runEngine({
      data: paths.data,
      run: paths.run,
      ...flags,
      version: `${this.config.version}-ollamax`,
      child: {file: process.argv[1] ?? '', args: ['engine', 'infer']},
      signal: this.signal,
      log: (line) => this.note(`${new Date().toISOString()} ${line}`),
    })
    return {stopped: true}
  }
}
