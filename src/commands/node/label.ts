import {Args} from '@oclif/core'
import {BaseCommand} from '../../lib/cli/base-command.ts'
import {formatLabels} from '../../lib/cluster/format.ts'
import {parseLabelEdit} from '../../lib/cluster/select.ts'

export interface NodeLabelResult {
  readonly nodes: ReadonlyArray<{
    readonly name: string
    readonly changed: boolean
    readonly labels: Readonly<Record<string, string>>
  }>
}

export default class NodeLabel extends BaseCommand {
  static override summary = 'set and remove labels of nodes'
  static override examples = [
    '<%= config.bin %> node label gpu-1 tier=fast rack=r2',
    '<%= config.bin %> node label gpu-1 tier-',
    '<%= config.bin %> node label "gpu-*" gpu=yes',
  ]
  static override args = {
    node: Args.string({required: true, description: 'name or glob'}),
    changes: Args.string({
      required: true,
      multiple: true,
      description: 'k=v sets a label, k- removes it',
    }),
  }

  async run(): Promise<NodeLabelResult> {
    const {args, flags} = await this.parse(NodeLabel)
    const edits = args.changes.map(parseLabelEdit)
    const {labelNodes} = await import('../../lib/jobs/edit-nodes.ts')
    const nodes = await labelNodes(this.tools(flags), {names: [args.node], labels: []}, edits)
    for (const {name, changed, labels} of nodes)
      this.say(`${name}\t${changed ? 'labelled' : 'unchanged'}\t${formatLabels(labels)}`)
    return {nodes}
  }
}
