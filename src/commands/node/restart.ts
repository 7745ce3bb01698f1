import {ControlCommand} from '../../lib/cli/control-command.ts'
import {nodeArg, progressFlag, timeoutFlag, yesFlag} from '../../lib/cli/flags.ts'
import type {Controlled} from '../../lib/jobs/control-node.ts'

export interface NodeRestartResult extends Controlled {}

export default class NodeRestart extends ControlCommand {
  static override summary = "restart a node's Ollama, and wait until it answers again"
  static override examples = ['<%= config.bin %> node restart gpu-1']
  static override args = {node: nodeArg()}
  static override flags = {
    timeout: timeoutFlag('60s'),
    yes: yesFlag(),
    progress: progressFlag(),
  }

  async run(): Promise<NodeRestartResult> {
    const {args, flags} = await this.parse(NodeRestart)
    const question = `Restart Ollama on ${args.node}? What it is answering now is cut.`
    return this.control('restart', args.node, {flags, question})
  }
}
