import type {Controlled} from '../jobs/control-node.ts'
import {BaseCommand} from './base-command.ts'
import {describeControlled} from './describe-controlled.ts'
import type {ProgressMode} from './flags.ts'

interface ControlFlags {
  readonly cluster?: string | undefined
  readonly timeout: string
  readonly progress: ProgressMode
  readonly yes?: boolean
}

/** A command that starts or stops what serves on a node, and tells how it is then. */
export abstract class ControlCommand extends BaseCommand {
  /** Asks `question` first, where there is one. Throws what `controlNode` throws. */
  protected async control(
    action: 'start' | 'stop' | 'restart',
    name: string,
    {flags, question}: {readonly flags: ControlFlags; readonly question?: string},
  ): Promise<Controlled> {
    const [{controlNode}, {confirmed}, {parseDuration}] = await Promise.all([
      import('../jobs/control-node.ts'),
      import('../jobs/confirm.ts'),
      import('../cluster/size.ts'),
    ])
    const tools = this.tools(flags)
    if (question !== undefined) await confirmed(tools, flags.yes ?? false, question)
    const timeoutMs = parseDuration(flags.timeout)
    const result = await this.withProgress(flags.progress, (report) =>
      controlNode(tools, {name, action, timeoutMs, report}),
    )
    this.say(describeControlled(result))
    return result
  }
}
