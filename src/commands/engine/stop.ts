import {BaseCommand} from '../../lib/cli/base-command.ts'
import {stopEngine} from '../../lib/jobs/stop-engine.ts'

export interface EngineStopResult {
  /** False: it did not run. */
  readonly stopped: boolean
  readonly pid: number | null
}

export default class EngineStop extends BaseCommand {
  static override summary = 'stop the embedded node; what it fetched stays'
  static override examples = ['<%= config.bin %> engine stop']

  async run(): Promise<EngineStopResult> {
    await this.parse(EngineStop)
    const result = await stopEngine(this.tools())
    this.say(
      result.stopped
        ? `the embedded node is stopped (pid ${result.pid})`
        : 'the embedded node does not run',
    )
    return result
  }
}
