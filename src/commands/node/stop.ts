import {ControlCommand} from '../../lib/cli/control-command.ts'
import {nodeArg, progressFlag, timeoutFlag, yesFlag} from '../../lib/cli/flags.ts'
import type {Controlled} from '../../lib/jobs/control-node.ts'

export interface NodeStopResult extends Controlled {}

export default class NodeStop extends ControlCommand {
  static override summary = "stop a node's Ollama; what it is answering is cut"
  static override examples = ['<%= config.bin %> node stop gpu-1']
  static override args = {node: nodeArg()}
  static override flags = {
    timeout: timeoutFlag('60s'),
    yes: yesFlag(),
    progress: progressFlag(),
  }

  async run(): Promise<NodeStopResult> {
    const {args, flags} = await this.parse(NodeStop)
    const question = `Stop Ollama on ${args.node}? What it is answering now is cut.`
    return this.control('stop', args.node, {flags, question})
  }
}
