import {BaseCommand} from '../../lib/cli/base-command.ts'
import {yesFlag} from '../../lib/cli/flags.ts'
import type {DeployLockStatus} from '../../lib/jobs/control-lock.ts'

export interface LockReleaseResult {
  /** Who had it. */
  readonly before: DeployLockStatus
}

export default class LockRelease extends BaseCommand {
  static override summary = 'take the deploy lock away from whoever has it'
  static override examples = ['<%= config.bin %> lock release']
  static override flags = {yes: yesFlag()}

  async run(): Promise<LockReleaseResult> {
    const {flags} = await this.parse(LockRelease)
    const {releaseDeployLock} = await import('../../lib/jobs/control-lock.ts')
    const {describeReleased} = await import('../../lib/cli/describe-lock.ts')
    const before = await releaseDeployLock(this.tools(flags), {yes: flags.yes})
    this.say(describeReleased(before))
    return {before}
  }
}
