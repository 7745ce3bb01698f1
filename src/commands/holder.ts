import {Flags} from '@oclif/core'
import {BaseCommand} from '../lib/cli/base-command.ts'
import {table} from '../lib/cli/output.ts'
import {readHolder, serveHolder, stopHolder} from '../lib/jobs/control-holder.ts'

export interface HolderResult {
  /** Whether a holder ran when this was asked. */
  readonly running: boolean
  readonly pid: number | null
  readonly links: readonly HolderLinkRow[]
}

export interface HolderLinkRow {
  readonly node: string
  readonly ssh: string
  readonly connected: boolean
  readonly streams: number
}

export default class Holder extends BaseCommand {
  static override hidden = true
  static override summary = 'show or stop the background process that keeps SSH connections open'
  static override examples = ['<%= config.bin %> holder', '<%= config.bin %> holder --stop']
  static override flags = {
    stop: Flags.boolean({summary: 'close its connections and end it', exclusive: ['serve']}),
    serve: Flags.boolean({summary: 'be that process', hidden: true}),
  }

  async run(): Promise<HolderResult> {
    const {flags} = await this.parse(Holder)
    const tools = this.tools(flags)
    if (flags.serve) await serveHolder(tools)
    const status = flags.serve ? undefined : await readHolder(tools)
    if (flags.stop) {
      const stopped = await stopHolder(tools)
      this.say(stopped ? 'stopped' : 'no holder runs')
    } else if (status) {
      const rows = status.links.map((link) => [
        link.node,
        link.ssh,
        link.connected ? 'connected' : 'lost',
        String(link.streams),
      ])
      this.say(await table(['NODE', 'SSH', 'STATE', 'STREAMS'], rows))
    } else if (!flags.serve) this.say('no holder runs')
    return {running: status !== undefined, pid: status?.pid ?? null, links: status?.links ?? []}
  }
}
