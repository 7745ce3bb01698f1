import {ControlCommand} from '../../lib/cli/control-command.ts'
import {nodeArg, progressFlag, timeoutFlag} from '../../lib/cli/flags.ts'
import type {Controlled} from '../../lib/jobs/control-node.ts'

export interface NodeStartResult extends Controlled {}

export default class NodeStart extends ControlCommand {
  static override summary = "start a node's Ollama, and wait until it answers"
  static override examples = ['<%= config.bin %> node start gpu-1']
  static override args = {node: nodeArg()}
  static override flags = {
    timeout: timeoutFlag('60s'),
    progress: progressFlag(),
  }

  async run(): Promise<NodeStartResult> {
    const {args, flags} = await this.parse(NodeStart)
    return this.control('start', args.node, {flags})
  }
}
