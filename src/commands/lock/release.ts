import {BaseCommand} from '../../lib/cli/base-command.ts'
import {lockNodeFlag, yesFlag} from '../../lib/cli/flags.ts'
import type {DeployLockStatus} from '../../lib/jobs/control-lock.ts'
import type {NodeLock} from '../../lib/jobs/node-locks.ts'

export interface LockReleaseResult {
  /** Who had it. */
  readonly before: DeployLockStatus
  /** Who had the locks of the machines that are named by --node. */
  readonly nodes?: readonly NodeLock[]
}

export default class LockRelease extends BaseCommand {
  static override summary = 'take the deploy lock away from whoever has it'
  static override description =
    'With --node, it is the lock of these machines that is taken away: the one that the operators of several machines see.'
  static override examples = [
    '<%= config.bin %> lock release',
    '<%= config.bin %> lock release --node gpu-1 --yes',
  ]
  static override flags = {node: lockNodeFlag(), yes: yesFlag()}

  async run(): Promise<LockReleaseResult> {
    const {flags} = await this.parse(LockRelease)
    const {deployLockStatus, releaseDeployLock} = await import('../../lib/jobs/control-lock.ts')
    const {describeNodeLock, describeReleased} = await import('../../lib/cli/describe-lock.ts')
    const tools = this.tools(flags)
    const {node: names, yes} = flags
    if (names.length > 0) {
      const {releaseNodeLocks} = await import('../../lib/jobs/node-locks.ts')
      const nodes = await releaseNodeLocks(tools, {names, yes})
      for (const row of nodes) this.say(describeNodeLock(row, 'was'))
      return {before: await deployLockStatus(tools), nodes}
    }
    const before = await releaseDeployLock(tools, {yes})
    this.say(describeReleased(before))
    return {before}
  }
}
