import {BaseCommand} from '../../lib/cli/base-command.ts'
import {describeControlled} from '../../lib/cli/describe-controlled.ts'
import {nodeArg, progressFlag, timeoutFlag} from '../../lib/cli/flags.ts'
import type {Controlled} from '../../lib/jobs/control-node.ts'

export interface NodeStartResult extends Controlled {}

export default class NodeStart extends BaseCommand {
  static override summary = "start a node's Ollama, and wait until it answers"
  static override examples = ['<%= config.bin %> node start gpu-1']
  static override args = {node: nodeArg()}
  static override flags = {
    timeout: timeoutFlag('60s'),
    progress: progressFlag(),
  }

  async run(): Promise<NodeStartResult> {
    const {args, flags} = await this.parse(NodeStart)
    const [{controlNode}, {parseDuration}] = await Promise.all([
      import('../../lib/jobs/control-node.ts'),
      import('../../lib/cluster/size.ts'),
    ])
    const timeoutMs = parseDuration(flags.timeout)
    const result = await this.withProgress(flags.progress, (report) =>
      controlNode(this.tools(flags), {name: args.node, action: 'start', timeoutMs, report}),
    )
    this.say(describeControlled(result))
    return result
  }
}
