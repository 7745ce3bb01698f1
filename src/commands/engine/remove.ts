import {BaseCommand} from '../../lib/cli/base-command.ts'
import {yesFlag} from '../../lib/cli/flags.ts'

export interface EngineRemoveResult {
  readonly removed: boolean
  /** What was removed, or would have been. */
  readonly path: string
  readonly bytes: number
}

export default class EngineRemove extends BaseCommand {
  static override summary = 'stop the embedded node and delete all that it fetched'
  static override examples = ['<%= config.bin %> engine remove --yes']
  static override flags = {yes: yesFlag()}

  async run(): Promise<EngineRemoveResult> {
    const {flags} = await this.parse(EngineRemove)
    const {removeEngine} = await import('../../lib/jobs/remove-engine.ts')
    const result = await removeEngine(this.tools(), flags)
    this.say(result.removed ? `removed ${result.path}` : 'nothing was removed')
    return result
  }
}
