import {Flags} from '@oclif/core'
import {BaseCommand} from '../../lib/cli/base-command.ts'
import {labelSelectorFlag, nodesArg, timeoutFlag} from '../../lib/cli/flags.ts'
import type {NodeExec as ExecResult} from '../../lib/jobs/exec-on-nodes.ts'

export interface NodeExecResult {
  readonly nodes: readonly ExecResult[]
}

export default class NodeExec extends BaseCommand {
  static override summary = 'run a command on nodes'
  static override description =
    'What stands after -- runs on the nodes: a single word is a line for the shell there, several are a program and its arguments. The exit code is that of the command; of several nodes the highest, and 255 where a node could not be reached. With several nodes each line begins with the name of its node.'
  static override examples = [
    '<%= config.bin %> node exec gpu-1 -- nvidia-smi',
    '<%= config.bin %> node exec --label tier=fast -- "df -h / | tail -1"',
    'tar c ./data | <%= config.bin %> node exec gpu-1 --stdin -- tar x -C /tmp',
  ]
  static override args = {nodes: nodesArg()}
  static override flags = {
    label: labelSelectorFlag(),
    stdin: Flags.boolean({char: 'i', summary: 'pass standard input on (one node)'}),
    timeout: timeoutFlag('10m'),
    concurrency: Flags.integer({summary: 'nodes at the same time', default: 16, min: 1, max: 256}),
  }

  async run(): Promise<NodeExecResult> {
    const cut = this.argv.indexOf('--')
    const command = cut < 0 ? [] : this.argv.slice(cut + 1)
    const {args, flags} = await this.parse(NodeExec, cut < 0 ? this.argv : this.argv.slice(0, cut))
    this.endWithReader()
    const [{execOnNodes}, {parseDuration}, {readCommand, showOutput}] = await Promise.all([
      import('../../lib/jobs/exec-on-nodes.ts'),
      import('../../lib/cluster/size.ts'),
      import('../../lib/cli/exec-output.ts'),
    ])
    const output = showOutput()
    const nodes = await execOnNodes(this.tools(flags), {
      selection: {names: args.nodes ?? [], labels: flags.label},
      command: readCommand(command),
      timeoutMs: parseDuration(flags.timeout),
      concurrency: flags.concurrency,
      ...(flags.stdin ? {stdin: process.stdin} : {}),
      ...(this.jsonEnabled() ? {} : {onNodes: output.begin, onOutput: output.write}),
    })
    output.end()
    if (!this.jsonEnabled())
      for (const {node, error} of nodes)
        if (error) this.note(`${node}: ${error.message} (${error.code})`)
    process.exitCode = Math.max(0, ...nodes.map((node) => node.code))
    return {nodes}
  }
}
