import {BaseCommand} from '../../lib/cli/base-command.ts'
import {labelSelectorFlag, nodesArg, progressFlag} from '../../lib/cli/flags.ts'

export interface NodeDrainResult {
  readonly nodes: ReadonlyArray<{readonly name: string; readonly changed: boolean}>
}

export default class NodeDrain extends BaseCommand {
  static override summary = 'send no new request to nodes; what runs there is finished'
  static override examples = [
    '<%= config.bin %> node drain gpu-1',
    '<%= config.bin %> node drain --label rack=r2',
  ]
  static override args = {nodes: nodesArg('names or globs of nodes')}
  static override flags = {label: labelSelectorFlag(), progress: progressFlag()}

  async run(): Promise<NodeDrainResult> {
    const {args, flags} = await this.parse(NodeDrain)
    const {drainNodes} = await import('../../lib/jobs/edit-nodes.ts')
    const selection = {names: args.nodes ?? [], labels: flags.label}
    const tools = this.tools(flags)
    const nodes = await this.withProgress(flags.progress, (report) =>
      drainNodes(tools, selection, {drained: true, report}),
    )
    for (const {name, changed} of nodes) this.say(`${name}\t${changed ? 'drained' : 'unchanged'}`)
    return {nodes}
  }
}
