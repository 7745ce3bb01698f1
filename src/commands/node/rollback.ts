import {nodesArg} from '../../lib/cli/flags.ts'
import {RollCommand, rollFlags} from '../../lib/cli/roll-command.ts'
import type {UpgradedNodes} from '../../lib/jobs/upgrade-nodes.ts'

export interface NodeRollbackResult extends UpgradedNodes {}

export default class NodeRollback extends RollCommand {
  static override summary = 'switch nodes back to the version of Ollama that was there before'
  static override description =
    'Each node goes back to the version that was switched on before the one that runs now; that one lies on the machine still, so nothing is downloaded. Like node upgrade, it fails no request, and is itself rolled back where it makes things worse. Run it twice, and the nodes are where they were.'
  static override examples = [
    '<%= config.bin %> node rollback gpu-1',
    "<%= config.bin %> node rollback '*' --waves 1 --yes",
  ]
  static override args = {nodes: nodesArg()}
  static override flags = rollFlags()

  async run(): Promise<NodeRollbackResult> {
    const {args, flags} = await this.parse(NodeRollback)
    return this.roll(args.nodes ?? [], flags, {to: {kind: 'previous'}})
  }
}
