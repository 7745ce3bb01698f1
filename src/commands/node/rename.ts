import {Args} from '@oclif/core'
import {BaseCommand} from '../../lib/cli/base-command.ts'
import {nodeArg} from '../../lib/cli/flags.ts'

export interface NodeRenameResult {
  readonly from: string
  readonly to: string
}

export default class NodeRename extends BaseCommand {
  static override summary = 'give a node another name'
  static override examples = ['<%= config.bin %> node rename gpu-1 gpu-rack2-1']
  static override args = {
    node: nodeArg(),
    to: Args.string({required: true, description: 'its new name'}),
  }

  async run(): Promise<NodeRenameResult> {
    const {args, flags} = await this.parse(NodeRename)
    const {renameNode} = await import('../../lib/jobs/edit-nodes.ts')
    await renameNode(this.tools(flags), args.node, args.to)
    this.say(args.node === args.to ? `${args.to} has that name already` : `renamed to ${args.to}`)
    return {from: args.node, to: args.to}
  }
}
