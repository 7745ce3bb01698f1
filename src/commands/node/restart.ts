import {BaseCommand} from '../../lib/cli/base-command.ts'
import {describeControlled} from '../../lib/cli/describe-controlled.ts'
import {nodeArg, progressFlag, timeoutFlag, yesFlag} from '../../lib/cli/flags.ts'
import type {Controlled} from '../../lib/jobs/control-node.ts'

export interface NodeRestartResult extends Controlled {}

export default class NodeRestart extends BaseCommand {
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
    const [{controlNode}, {confirmed}, {parseDuration}] = await Promise.all([
      import('../../lib/jobs/control-node.ts'),
      import('../../lib/jobs/confirm.ts'),
      import('../../lib/cluster/size.ts'),
    ])
    const tools = this.tools(flags)
    const question = `Restart Ollama on ${args.node}? What it is answering now is cut.`
    await confirmed(tools, flags.yes, question)
    const timeoutMs = parseDuration(flags.timeout)
    const result = await this.withProgress(flags.progress, (report) =>
      controlNode(tools, {name: args.node, action: 'restart', timeoutMs, report}),
    )
    this.say(describeControlled(result))
    return result
  }
}
