import {BaseCommand} from '../../lib/cli/base-command.ts'
import {nodeArg} from '../../lib/cli/flags.ts'

export interface NodeShellResult {
  readonly node: string
  /** Of the shell. */
  readonly code: number
}

export default class NodeShell extends BaseCommand {
  static override summary = 'open a shell on a node'
  static override description =
    'The login shell of the account, over the same connection as all else; the exit code is that of the shell. Without a terminal, standard input is read as commands.'
  static override examples = ['<%= config.bin %> node shell gpu-1']
  static override args = {node: nodeArg()}

  async run(): Promise<NodeShellResult> {
    const {args, flags} = await this.parse(NodeShell)
    const {sshNodeNamed} = await import('../../lib/jobs/ssh-node.ts')
    const tools = this.tools(flags)
    const {nodes} = await tools.cluster()
    const remote = await tools.dial(sshNodeNamed(nodes, args.node, 'open a shell there'))
    const code = await remote.shell()
    process.exitCode = code
    return {node: args.node, code}
  }
}
