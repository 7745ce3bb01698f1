import {BaseCommand} from '../../lib/cli/base-command.ts'
import type {DeployLockStatus} from '../../lib/jobs/control-lock.ts'

export interface LockStatusResult extends DeployLockStatus {}

export default class LockStatus extends BaseCommand {
  static override summary = 'tell who holds the deploy lock, why, and since when'
  static override description =
    'While somebody holds it, nobody else changes the nodes of the cluster from this machine by node upgrade, node rollback, apply or serve --reconcile.'
  static override examples = ['<%= config.bin %> lock status']

  async run(): Promise<LockStatusResult> {
    const {flags} = await this.parse(LockStatus)
    const {deployLockStatus} = await import('../../lib/jobs/control-lock.ts')
    const {describeLock} = await import('../../lib/cli/describe-lock.ts')
    const status = await deployLockStatus(this.tools(flags))
    this.say(describeLock(status))
    return status
  }
}
