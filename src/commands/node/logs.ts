import {Flags} from '@oclif/core'
import {BaseCommand} from '../../lib/cli/base-command.ts'
import {nodeArg} from '../../lib/cli/flags.ts'
import {harmless} from '../../lib/cli/paint.ts'

export interface NodeLogsResult {
  readonly node: string
  /** Without --follow only. */
  readonly lines: readonly string[]
}

export default class NodeLogs extends BaseCommand {
  static override summary = "show the log of a node's Ollama"
  static override examples = [
    '<%= config.bin %> node logs gpu-1 --lines 200',
    '<%= config.bin %> node logs gpu-1 --since 15m',
    '<%= config.bin %> node logs gpu-1 --follow',
  ]
  static override args = {node: nodeArg()}
  static override flags = {
    follow: Flags.boolean({char: 'f', summary: 'go on until Ctrl-C', exclusive: ['json']}),
    lines: Flags.integer({char: 'n', summary: 'last lines to show', default: 100, min: 0}),
    since: Flags.string({summary: 'not older than this', helpValue: '15m'}),
  }

  async run(): Promise<NodeLogsResult> {
    const {args, flags} = await this.parse(NodeLogs)
    this.endWithReader()
    const [{readLogs}, {parseDuration}] = await Promise.all([
      import('../../lib/jobs/read-logs.ts'),
      import('../../lib/cluster/size.ts'),
    ])
    let kept = ''
    await readLogs(this.tools(flags), {
      name: args.node,
      lines: flags.lines,
      sinceMs: flags.since === undefined ? undefined : parseDuration(flags.since),
      follow: flags.follow,
      onText: (text) => {
        if (this.jsonEnabled()) kept += text
        else process.stdout.write(process.stdout.isTTY ? harmless(text) : text)
      },
    })
    return {node: args.node, lines: kept === '' ? [] : kept.replace(/\n$/, '').split('\n')}
  }
}
