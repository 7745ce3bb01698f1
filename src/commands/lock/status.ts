import {BaseCommand} from '../../lib/cli/base-command.ts'
import {lockNodeFlag} from '../../lib/cli/flags.ts'
import type {DeployLockStatus} from '../../lib/jobs/control-lock.ts'
import type {NodeLock} from '../../lib/jobs/node-locks.ts'

export interface LockStatusResult extends DeployLockStatus {
  /** Of the machines that were asked by --node. */
  readonly nodes?: readonly NodeLock[]
}

export default class LockStatus extends BaseCommand {
  static override summary = 'tell who holds the deploy lock, why, and since when'
  static override description =
    'While somebody holds it, nobody else changes the nodes of the cluster from this machine by node upgrade, node rollback, apply or serve --reconcile.'
  static override examples = [
    '<%= config.bin %> lock status',
    "<%= config.bin %> lock status --node '*'",
  ]
  static override flags = {node: lockNodeFlag()}

  async run(): Promise<LockStatusResult> {
    const {flags} = await this.parse(LockStatus)
    const {deployLockStatus} = await import('../../lib/jobs/control-lock.ts')
    const {describeLock, describeNodeLock} = await import('../../lib/cli/describe-lock.ts')
    const tools = this.tools(flags)
    const status = await deployLockStatus(tools)
    this.say(describeLock(status))
    if (flags.node.length === 0) return status
    const {nodeLocks} = await import('../../lib/jobs/node-locks.ts')
    const nodes = await nodeLocks(tools, flags.node)
    for (const row of nodes) this.say(describeNodeLock(row))
    return {...status, nodes}
  }
}
