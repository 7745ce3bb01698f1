import {BaseCommand} from '../../lib/cli/base-command.ts'
import {labelSelectorFlag, nodesArg, progressFlag} from '../../lib/cli/flags.ts'

export interface NodeUndrainResult {
  readonly nodes: ReadonlyArray<{readonly name: string; readonly changed: boolean}>
}

export default class NodeUndrain extends BaseCommand {
  static override summary = 'let requests go to drained nodes again'
  static override examples = [
    '<%= config.bin %> node undrain gpu-1',
    '<%= config.bin %> node undrain --label rack=r2',
  ]
  static override args = {nodes: nodesArg('names or globs of nodes')}
  static override flags = {label: labelSelectorFlag(), progress: progressFlag()}

  async run(): Promise<NodeUndrainResult> {
    const {args, flags} = await this.parse(NodeUndrain)
    const {drainNodes} = await import('../../lib/jobs/edit-nodes.ts')
    const selection = {names: args.nodes ?? [], labels: flags.label}
    const tools = this.tools(flags)
    const nodes = await this.withProgress(flags.progress, (report) =>
      drainNodes(tools, selection, {drained: false, report}),
    )
    for (const {name, changed} of nodes) this.say(`${name}\t${changed ? 'undrained' : 'unchanged'}`)
    return {nodes}
  }
}
