import {Flags} from '@oclif/core'
import type {RolledNode} from '../jobs/roll/rolled-node.ts'
import type {UpgradedNodes, UpgradeOptions} from '../jobs/upgrade-nodes.ts'
import {BaseCommand} from './base-command.ts'
import {labelSelectorFlag, type ProgressMode, progressFlag, yesFlag} from './flags.ts'

/** What commands that change nodes wave by wave let the user say. */
export const rollFlags = () => ({
  label: labelSelectorFlag(),
  canary: Flags.string({summary: 'node that is changed first and alone', helpValue: 'NODE'}),
  waves: Flags.integer({
    summary: 'waves in which the nodes after the canary are changed',
    default: 4,
    min: 1,
    max: 1000,
  }),
  'drain-timeout': Flags.string({
    summary: 'longest time to wait for the requests that run on a node',
    helpValue: '10m',
    default: '10m',
  }),
  'min-pace': Flags.string({
    summary: 'a node with fewer tokens/s than this part of before is bad; 0: none is',
    helpValue: '0.8',
    default: '0.8',
  }),
  pause: Flags.string({
    summary: 'time between two waves, for gateways to find the nodes up again',
    helpValue: '6s',
    default: '6s',
  }),
  'sudo-password-stdin': Flags.boolean({summary: 'read the password for sudo from stdin'}),
  yes: yesFlag(),
  progress: progressFlag(),
})

interface RollFlags {
  readonly cluster?: string | undefined
  readonly label: readonly string[]
  readonly canary?: string | undefined
  readonly waves: number
  readonly 'drain-timeout': string
  readonly 'min-pace': string
  readonly pause: string
  readonly 'sudo-password-stdin': boolean
  readonly yes: boolean
  readonly progress: ProgressMode
}

/** A command that changes nodes wave by wave, and fails if a wave was bad. */
export abstract class RollCommand extends BaseCommand {
  protected async roll(
    names: readonly string[],
    flags: RollFlags,
    what: Pick<UpgradeOptions, 'to' | 'artifact' | 'artifactSha256'>,
  ): Promise<{nodes: readonly RolledNode[]; cluster: string}> {
    const [
      {upgradeNodes},
      {parseDuration},
      {describeRolled, readPart, rollFailure},
      {readPassword},
    ] = await Promise.all([
      import('../jobs/upgrade-nodes.ts'),
      import('../cluster/size.ts'),
      import('./describe-rolled.ts'),
      import('./read-password.ts'),
    ])
    const options = {
      selection: {names, labels: flags.label},
      canary: flags.canary,
      waves: flags.waves,
      drainMs: parseDuration(flags['drain-timeout']),
      pauseMs: parseDuration(flags.pause),
      minPace: readPart(flags['min-pace']),
      sudoPassword: flags['sudo-password-stdin'] ? await readPassword() : undefined,
      yes: flags.yes,
      ...what,
    }
    const tools = this.tools(flags)
    const result: UpgradedNodes = await this.withProgress(flags.progress, (report) =>
      upgradeNodes(tools, {...options, report}),
    )
    this.say(await describeRolled(result.nodes))
    const failure = rollFailure(result.nodes)
    if (failure) throw failure
    return result
  }
}
