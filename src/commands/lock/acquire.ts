import {Flags} from '@oclif/core'
import {BaseCommand} from '../../lib/cli/base-command.ts'
import type {DeployLockStatus} from '../../lib/jobs/control-lock.ts'

export interface LockAcquireResult extends DeployLockStatus {}

export default class LockAcquire extends BaseCommand {
  static override summary = 'take the deploy lock, until it is released'
  static override examples = ['<%= config.bin %> lock acquire -m "power work in rack 2"']
  static override flags = {
    message: Flags.string({
      char: 'm',
      summary: 'the reason, for those who find it taken',
      required: true,
      helpValue: 'REASON',
    }),
  }

  async run(): Promise<LockAcquireResult> {
    const {flags} = await this.parse(LockAcquire)
    const {acquireDeployLock} = await import('../../lib/jobs/control-lock.ts')
    const {describeLock} = await import('../../lib/cli/describe-lock.ts')
    const status = await acquireDeployLock(this.tools(flags), {reason: flags.message})
    this.say(describeLock(status))
    return status
  }
}
